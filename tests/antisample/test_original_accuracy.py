"""An original that knows nothing is refused, whatever the reason, and one that knows enough is not."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from antisample.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from antisample.config import UnlearnConfig
from antisample.errors import ConfigError
from antisample.forgetting import Forgetting, forgetting_line
from antisample.inputs import LoadingListener, load_inputs
from antisample.normalisation import NORMALISATIONS, usual_normalisation
from antisample.original_accuracy import chance_accuracy, other_order
from antisample.pretrain import pretrained_path
from antisample.types import Preprocessing


class Heard(LoadingListener):
    """Keeps what it is told."""

    def __init__(self):
        self.requests, self.accuracies, self.notes = [], [], []

    def data_loaded(self, requests):
        self.requests += [request.forgetting() for request in requests]

    def original_loaded(self, original, accuracy, request):  # noqa: ARG002
        self.accuracies.append(accuracy)
        self.notes += original.notes


@pytest.fixture
def with_weights(digits_config, digits_inputs, tmp_path):
    """Loads digits with the trained network after its last layer, or its metadata, were changed."""

    def load(change=len, metadata=None, **model):
        path = pretrained_path(
            digits_config.model, digits_inputs.dataset, digits_inputs.splits, digits_config.data.cache_dir
        )
        checkpoint = load_checkpoint(path)
        weights = {name: tensor.clone() for name, tensor in checkpoint.state_dict.items()}
        change(weights)
        kept = {**checkpoint.metadata} if metadata is None else metadata
        save_checkpoint(tmp_path / "own.safetensors", Checkpoint(weights, kept))
        values = digits_config.model_dump()
        values["model"] |= {"checkpoint": tmp_path / "own.safetensors", **model}
        values["split"] = {"validation_from": "train"}
        heard = Heard()
        return load_inputs(UnlearnConfig.parse(values), heard), heard

    return load


def moved(order):
    """Rows of the last layer in another order."""

    def change(weights):
        for name in ("classifier.2.weight", "classifier.2.bias"):
            weights[name] = weights[name][list(order)]

    return change


def without(label):
    """A network that never says a label."""

    def change(weights):
        weights["classifier.2.bias"][label] = -1e4

    return change


def forgotten(weights):
    nn.init.normal_(weights["features.0.weight"])
    nn.init.zeros_(weights["classifier.2.weight"])


def test_a_trained_original_is_measured_and_taken(with_weights):
    inputs, heard = with_weights()
    assert heard.accuracies[0].retain > 0.8
    assert heard.accuracies[0].forget_images + heard.accuracies[0].retain_images == len(inputs.splits.validation)
    assert heard.notes == []
    assert heard.requests == [Forgetting.of(inputs.dataset, inputs.splits)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (forgotten, "knows nothing of this data"),
        (without(3), r'nothing to forget: the original model recognises 0.0% of \d+ validation images of "3"'),
        (moved([1, 2, 3, 4, 5, 6, 7, 8, 9, 0]), "another order"),
        (moved([0, 1, 2, 4, 3, 5, 6, 7, 8, 9]), 'order than the data: "3" is called "4", "4" is called "3"'),
        (moved([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]), "and 5 more"),
    ],
)
def test_an_original_that_knows_the_wrong_things_is_refused_unless_accepted(with_weights, change, message):
    with pytest.raises(ConfigError, match=message) as refused:
        with_weights(change)
    assert "--accept-original" in str(refused.value)
    assert "model.accept_original" in str(refused.value)
    _, heard = with_weights(change, accept_original=True)
    assert len(heard.accuracies) == 1


def test_an_original_that_was_hardly_trained_is_refused_from_python_too(digits_config):
    values = digits_config.model_dump()
    values["model"]["recipe"] |= {"epochs": 1, "max_learning_rate": 1e-9}
    with pytest.raises(ConfigError, match="knows nothing of this data"):
        load_inputs(UnlearnConfig.parse(values))


NORMALISES_ITSELF = """
import torch
from torch import nn
from antisample.models import build_model

class Net(nn.Module):
    def __init__(self, n_classes, in_channels):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("std", torch.ones(1))
        self.net = build_model("SmallCNN", n_classes, in_channels)

    def forward(self, images):
        return self.net((images - self.mean) / self.std)
"""


@pytest.fixture
def normalising(digits_config, digits_inputs, tmp_path, monkeypatch):
    """Loads a network that expects (pixel / 255 - shift) / scale, undoes that, and normalises by itself."""

    def load(shift, scale, **model):
        (tmp_path / "normalises_itself.py").write_text(NORMALISES_ITSELF)
        monkeypatch.syspath_prepend(str(tmp_path))
        mean, std = (values[0] for values in dataclasses.astuple(digits_inputs.original.preprocessing))
        weights = {f"net.{key}": tensor for key, tensor in digits_inputs.original.state_dict.items()}
        weights |= {"mean": torch.tensor([(mean - shift) / scale]), "std": torch.tensor([std / scale])}
        torch.save(weights, tmp_path / "own.pt")
        values = digits_config.model_dump()
        values["model"] |= {"name": "normalises_itself:Net", "checkpoint": tmp_path / "own.pt", **model}
        values["split"] = {"validation_from": "train"}
        heard = Heard()
        return load_inputs(UnlearnConfig.parse(values), heard), heard

    return load


@pytest.mark.parametrize(("shift", "scale", "name"), [(0.0, 1.0, "0..1"), (0.0, 1 / 255, "0..255")])
def test_an_unstated_normalisation_is_found_by_trying_and_said(normalising, shift, scale, name):
    inputs, heard = normalising(shift, scale)
    assert f"(`{name}`)" in heard.notes[-1]
    assert heard.accuracies[0].retain > 0.8
    assert inputs.original.preprocessing == Preprocessing((shift,), (scale,))


def test_what_trying_does_not_decide_has_to_be_stated(with_weights):
    """The usual normalisations differ little for a network whose first layer sees next to nothing."""

    def blind(weights):
        weights["features.0.weight"] *= 1e-6

    with pytest.raises(ConfigError, match="do not decide between the usual ones") as refused:
        with_weights(blind, metadata={})
    assert "--normalisation" in str(refused.value)
    assert "model.normalisation" in str(refused.value)
    inputs, heard = with_weights(blind, metadata={}, mean=(0.25,), std=(0.5,), accept_original=True)
    assert (heard.notes, inputs.original.preprocessing) == ([], Preprocessing((0.25,), (0.5,)))


@pytest.mark.parametrize("name", NORMALISATIONS)
def test_a_usual_normalisation_is_stated_by_name(with_weights, digits_inputs, name):
    inputs, heard = with_weights(metadata={}, normalisation=name, accept_original=True)
    assert inputs.original.preprocessing == usual_normalisation(name, digits_inputs.dataset)
    assert heard.notes == []


def test_chance_is_that_of_guesses_as_frequent_as_the_models():
    always_first = np.array([[90, 0], [10, 0]])
    assert chance_accuracy(always_first) == pytest.approx(0.9)
    assert chance_accuracy(np.array([[45, 45], [5, 5]])) == pytest.approx(0.5)
    assert chance_accuracy(np.zeros((3, 3), int)) == 0


def test_an_order_is_a_permutation_and_no_mere_confusion():
    swapped = np.array([[50, 0, 0, 0], [0, 1, 40, 9], [0, 40, 1, 9], [0, 0, 0, 50]])
    assert other_order(swapped) == {1: 2, 2: 1}
    confused = np.array([[50, 0, 0, 0], [0, 25, 25, 0], [0, 26, 24, 0], [0, 0, 0, 50]])
    assert other_order(confused) is None
    one_way = np.array([[0, 50, 0], [0, 50, 0], [0, 0, 50]])
    assert other_order(one_way) is None
    few = np.zeros((20, 20), int)
    np.fill_diagonal(few, 2)
    few[[0, 1]] = few[[1, 0]]
    assert other_order(few) is None


def test_one_line_says_what_is_forgotten(digits_inputs):
    request = Forgetting.of(digits_inputs.dataset, digits_inputs.splits)
    line = forgetting_line([request])
    assert line.startswith('Forgetting "3" (label 3): ')
    assert f"{request.train:,} training, {request.validation:,} validation and {request.test:,} test images" in line
    odd = dataclasses.replace(request, names=('a "b", c\n',))
    assert '"a \\"b\\", c\\n" (label 3)' in forgetting_line([odd])
    assert forgetting_line([request, odd]).count("\n") == 0
