"""An original that knows nothing is refused, whatever the reason, and one that knows enough is not."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from antisample.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from antisample.config import UnlearnConfig
from antisample.errors import ConfigError
from antisample.inputs import LoadingListener, load_inputs
from antisample.metrics import Predictions
from antisample.metrics.forgetting import Forgetting, forgetting_line
from antisample.metrics.original_accuracy import check_original
from antisample.models.agreement import chance_accuracy, guesses, other_order
from antisample.models.normalisation import NORMALISATIONS, usual_normalisation
from antisample.models.pretrain import pretrained_path
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
        (forgotten, "knows nothing about this data"),
        (without(3), r'nothing to forget: the original model recognises 0.0% of \d+ validation images of "3"'),
        (moved([1, 2, 3, 4, 5, 6, 7, 8, 9, 0]), "different order"),
        (
            moved([0, 1, 2, 4, 3, 5, 6, 7, 8, 9]),
            'order from the data: "3" is predicted as "4", "4" is predicted as "3"',
        ),
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
    with pytest.raises(ConfigError, match="knows nothing about this data"):
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

    with pytest.raises(ConfigError, match="do not distinguish between the common ones") as refused:
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


def answers(confusion):
    """Labels and answers with these counts by true class and predicted class, in random order."""
    rows, columns = np.nonzero(confusion)
    counts = np.asarray(confusion)[rows, columns]
    shuffled = np.random.default_rng(0).permutation(counts.sum())
    return np.repeat(rows, counts)[shuffled], np.repeat(columns, counts)[shuffled]


def imagined(n_classes, images, accuracy, order, seed=0):
    """Answers of a network of this accuracy that calls class i by the name of order[i]."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(n_classes), images))
    right = rng.random(len(labels)) < accuracy
    return labels, np.where(right, np.asarray(order)[labels], rng.integers(0, n_classes, len(labels)))


def test_chance_is_that_of_guesses_as_frequent_as_the_models():
    assert chance_accuracy(*answers([[90, 0], [10, 0]])) == pytest.approx(0.9)
    assert chance_accuracy(*answers([[45, 45], [5, 5]])) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("confusion", "knows_nothing"),
    [
        ([[90, 0], [10, 0]], True),  # always the more frequent class
        ([[81, 9], [9, 1]], True),  # a coin as unbalanced as the data
        ([[10, 10], [10, 10]], True),
        ([[297, 0], [1, 2]], False),  # two of three rare images, and no false alarm
        ([[94, 1], [2, 3]], False),
        ([[5, 0], [0, 5]], False),
        ([[2, 0], [0, 2]], False),  # all right, and still too few to tell
        ([[1, 1], [1, 1]], False),  # likewise
        ([[0, 20], [20, 0]], True),
    ],
)
def test_guesses_are_told_from_knowledge_whatever_the_balance(confusion, knows_nothing):
    assert guesses(*answers(confusion)) == knows_nothing


@pytest.mark.parametrize("seed", range(5))
def test_a_good_network_with_few_images_a_class_passes(seed):
    labels, said = imagined(300, 2, 0.5, np.arange(300), seed)
    assert not guesses(labels, said)
    assert other_order(labels, said, 300) is None


@pytest.mark.parametrize(
    ("n_classes", "images", "accuracy", "order"),
    [
        (100, 2, 0.8, np.arange(100)[::-1]),
        (100, 5, 0.7, np.argsort([str(n) for n in range(100)])),
        (10, 2, 0.9, np.roll(np.arange(10), 1)),
        (10, 50, 0.4, np.roll(np.arange(10), 3)),
        (2, 20, 0.9, [1, 0]),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_another_order_is_recognised_as_such(n_classes, images, accuracy, order, seed):
    order_found = other_order(*imagined(n_classes, images, accuracy, order, seed), n_classes)
    assert order_found is not None
    moved = {row: int(column) for row, column in enumerate(order) if row != column}
    assert sum(order_found.get(row) == column for row, column in moved.items()) > 0.6 * len(moved)


def test_an_order_is_a_permutation_and_no_mere_confusion():
    swapped = [[50, 0, 0, 0, 0], [0, 1, 40, 9, 0], [0, 40, 1, 9, 0], [0, 0, 0, 50, 0], [0, 0, 0, 0, 50]]
    assert other_order(*answers(swapped), 5) == {1: 2, 2: 1}
    confused = [[50, 0, 0, 0], [0, 25, 25, 0], [0, 26, 24, 0], [0, 0, 0, 50]]
    assert other_order(*answers(confused), 4) is None
    one_way = [[0, 50, 0], [0, 50, 0], [0, 0, 50]]
    assert other_order(*answers(one_way), 3) is None
    few = np.eye(20, dtype=int) * 2
    few[[0, 1]] = few[[1, 0]]
    assert other_order(*answers(few), 20) is None


@pytest.mark.parametrize(("images", "refused"), [(1, False), (2, False), (6, False), (10, True)])
def test_one_wrong_answer_is_no_evidence_that_there_is_nothing_to_forget(digits_inputs, images, refused):
    labels = np.concatenate([np.full(images, 3), np.repeat([0, 1, 2, 4, 5, 6, 7, 8, 9], 20)])
    probabilities = np.eye(10, dtype=np.float32)[np.where(labels == 3, 5, labels)]
    predictions = Predictions(probabilities, np.zeros(len(labels), np.float32), labels)
    if refused:
        with pytest.raises(ConfigError, match="nothing to forget"):
            check_original(predictions, digits_inputs.dataset, digits_inputs.splits)
    else:
        check_original(predictions, digits_inputs.dataset, digits_inputs.splits)


def test_one_line_says_what_is_forgotten(digits_inputs):
    request = Forgetting.of(digits_inputs.dataset, digits_inputs.splits)
    line = forgetting_line([request])
    assert line.startswith('Forgetting "3" (label 3): ')
    assert f"{request.train:,} training, {request.validation:,} validation and {request.test:,} test images" in line
    odd = dataclasses.replace(request, names=('a "b", c\n',))
    assert '"a \\"b\\", c\\n" (label 3)' in forgetting_line([odd])
    assert forgetting_line([request, odd]).count("\n") == 0
