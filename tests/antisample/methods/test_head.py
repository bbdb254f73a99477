"""The last layer alone: what is fitted, what stays, and which networks are refused."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from antisample.checkpoints.checkpoint import weights_fingerprint
from antisample.data.loader import to_device
from antisample.errors import ConfigError
from antisample.methods import UnlearnContext, find_method, method_config
from antisample.models import build_model
from antisample.models.original import OriginalModel
from antisample.types import Preprocessing

CPU = torch.device("cpu")


@pytest.fixture
def context(digits_inputs):
    return UnlearnContext(digits_inputs.dataset, digits_inputs.splits, digits_inputs.original, CPU, seed=1)


@pytest.fixture
def with_network(context, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)

    def make(name):
        full = f"networks_with_heads:{name}"
        torch.manual_seed(4)
        weights = build_model(full, 10, 1, None, (8, 8)).state_dict()
        original = OriginalModel(full, weights, Preprocessing((0.3,), (0.4,)), weights_fingerprint(weights))
        return dataclasses.replace(context, original=original)

    return make


def logits_of(model, context, positions):
    images, _ = to_device(context.dataset.train, positions, CPU)
    with torch.inference_mode():
        return model.eval()(context.normaliser()(images))


def fitted(context, **values):
    run = find_method("head").prepare(context, method_config("head", **values))
    losses = [run.run_epoch() for _ in range(run.epochs)]
    return run.model, losses


def test_the_class_is_forgotten_the_others_are_kept_and_the_encoder_stays(context):
    model, losses = fitted(context, epochs=10)
    assert losses[-1] < losses[0]
    splits, labels = context.splits, context.dataset.train.labels
    assert (logits_of(model, context, splits.forget).argmax(1) == 3).float().mean() < 0.05
    kept = logits_of(model, context, splits.retain).argmax(1).numpy()
    assert (kept == labels[splits.retain]).mean() > 0.98
    for name, value in context.original.state_dict.items():
        assert torch.equal(model.state_dict()[name], value) is not name.startswith("classifier.2"), name


def test_it_is_fitted_to_the_masked_softmax_of_the_original(context):
    before = logits_of(context.original.build(context.dataset, CPU), context, context.splits.retain)
    targets = before.index_fill(1, torch.tensor([3]), -torch.inf).softmax(1)
    entropy = float(torch.special.entr(targets).sum(1).mean())
    model, losses = fitted(context, epochs=20)
    answers = logits_of(model, context, context.splits.retain).log_softmax(1)
    loss = float(-(targets * answers).sum(1).mean())
    assert entropy < loss < entropy + 0.01  # cross-entropy cannot be less than the entropy of the targets
    assert losses[-1] == pytest.approx(loss, abs=0.01)


@pytest.mark.parametrize("name", ["Biased", "Biasless", "LogSoftmax", "Averaged", "OnePosition", "TwoHeads"])
def test_heads_of_every_kind_are_fitted_and_filtered(with_network, name):
    context = with_network(name)
    model, losses = fitted(context, epochs=2)
    assert losses[1] < losses[0]
    answers = logits_of(model, context, context.splits.retain[:50])
    assert answers.shape == (50, 10)
    filtered = find_method("filtration").prepare(context, method_config("filtration")).model
    assert (logits_of(filtered, context, np.arange(50)).softmax(1)[:, 3] == 0).all()


@pytest.mark.parametrize("method", ["head", "filtration"])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ByHand", "no linear layer or 1x1 convolution of '.*ByHand' gives one output per class"),
        ("Parametrised", "no linear layer or 1x1 convolution of '.*Parametrised' gives one output per class"),
        ("Tempered", "what follows the last layer of '.*Tempered', 'head', changes its logits"),
        ("InPlace", "what follows the last layer of '.*InPlace', 'head', changes its logits"),
        ("Shared", "uses the weights of its last layer, 'head', in another place too"),
    ],
)
def test_networks_whose_last_layer_does_not_decide_are_refused_by_name(with_network, method, name, why):
    with pytest.raises(ConfigError, match=f"The method '{method}' changes the last layer alone, but .*{why}"):
        find_method(method).prepare(with_network(name), method_config(method))
