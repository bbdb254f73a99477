"""Weights are fitted to a network: names with prefixes, missing counters, and what is said where they do not fit."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from antisample.checkpoints.checkpoint import Checkpoint, weights_fingerprint
from antisample.checkpoints.fitting import fitted_weights
from antisample.errors import DataError
from antisample.models import build_model


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return build_model("ResNet9", 10, 3)


def prefixed(prefix, weights):
    return {prefix + name: tensor for name, tensor in weights.items()}


def fitted(net, weights):
    found, notes = fitted_weights(net, Checkpoint(dict(weights)), "x.pt")
    assert list(found) == list(net.state_dict())
    net.load_state_dict(found)
    return found, notes


def refused(net, weights):
    with pytest.raises(DataError) as error:
        fitted_weights(net, Checkpoint(dict(weights)), "x.pt")
    assert str(error.value).startswith("x.pt: ")
    return str(error.value)


def test_weights_that_fit_are_left_as_they_are(net):
    weights = dict(net.state_dict())
    checkpoint = Checkpoint(weights, notes=("Of the checkpoint's entries, `net` was used.",))
    found, notes = fitted_weights(net, checkpoint, "x.pt")
    assert found is weights
    assert notes == checkpoint.notes


@pytest.mark.parametrize(
    "prefix",
    ["module.", "_orig_mod.", "model.", "net.", "module.model.", "_orig_mod.module.", "backbone.", "a.b.c."],
)
def test_a_prefix_of_all_names_is_removed_and_it_is_said(net, prefix):
    weights = net.state_dict()
    found, notes = fitted(net, prefixed(prefix, weights))
    assert weights_fingerprint(found) == weights_fingerprint(weights)
    assert notes == (f"The prefix `{prefix}` was removed from all {len(weights)} names of the checkpoint.",)


def test_what_real_wrappers_write_fits(net):
    weights = net.state_dict()
    wrappers = {
        "module.": nn.DataParallel(net),
        "_orig_mod.": torch.compile(net),
        "module._orig_mod.": nn.DataParallel(torch.compile(net)),
    }
    for prefix, wrapper in wrappers.items():
        found, notes = fitted(net, wrapper.state_dict())
        assert weights_fingerprint(found) == weights_fingerprint(weights)
        assert f"`{prefix}`" in notes[0]
    found, notes = fitted(net, AveragedModel(net).state_dict())
    assert weights_fingerprint(found) == weights_fingerprint(weights)
    assert notes == (
        f"The prefix `module.` was removed from {len(weights)} names of the checkpoint.",
        "Of the checkpoint, `n_averaged` was ignored, since it does not belong to the network.",
    )


def test_wrappers_inside_names_are_removed(net):
    weights = net.state_dict()
    inside = {name.replace(".", ".module.", 1): tensor for name, tensor in weights.items()}
    found, notes = fitted(net, prefixed("model.", inside))
    assert weights_fingerprint(found) == weights_fingerprint(weights)
    assert notes == (
        f"The prefixes `module.` and `model.` were removed from all {len(weights)} names of the checkpoint.",
    )


def test_a_prefix_of_the_network_may_be_missing_in_the_file(net):
    wrapped = nn.DataParallel(net)
    found, notes = fitted(wrapped, net.state_dict())
    assert set(found) == set(wrapped.state_dict())
    assert notes == ("The prefix `module.`, which the network has, was added to the names of the checkpoint.",)
    found, notes = fitted(wrapped, prefixed("model.", net.state_dict()))
    assert set(found) == set(wrapped.state_dict())


def test_missing_counters_start_at_0(net):
    old = {name: tensor for name, tensor in net.state_dict().items() if "num_batches" not in name}
    n = len(net.state_dict()) - len(old)
    for prefix in ("", "module."):
        found, notes = fitted(net, prefixed(prefix, old))
        assert found["conv1.1.num_batches_tracked"] == 0
        assert notes[-1] == f"The checkpoint lacks {n} batch counters (`num_batches_tracked`); they start at 0."


def test_what_stands_beside_the_network_is_left_out_and_said(net):
    weights = net.state_dict()
    beside = {"criterion.weight": torch.ones(10), "metrics.total": torch.ones(1)}
    found, notes = fitted(net, prefixed("model.", weights) | beside)
    assert weights_fingerprint(found) == weights_fingerprint(weights)
    assert notes[-1] == (
        "Of the checkpoint, `criterion.weight`, `metrics.total` were ignored, "
        "since they do not belong to the network."
    )
    fitted(net, weights | beside)
    average = {name: tensor + 1 for name, tensor in weights.items()}
    for mine, other in (("model.", "ema_model."), ("", "ema.module."), ("net.", "ema.")):
        found, notes = fitted(net, prefixed(mine, weights) | prefixed(other, average))
        assert weights_fingerprint(found) == weights_fingerprint(weights)
        assert "were ignored" in notes[-1]


def test_names_that_fit_twice_are_refused(net):
    text = refused(net, prefixed("student.", net.state_dict()) | prefixed("teacher.", net.state_dict()))
    assert "match several prefixes in the checkpoint, `student.`, `teacher.`; save the intended weights" in text


def test_another_architecture_shows_names_of_both(net):
    text = refused(net, build_model("SmallCNN", 10, 3).state_dict())
    assert "the checkpoint has a different architecture from ResNet9: it lacks 'conv1.0.weight'" in text
    assert "it has 'features.0.weight', 'features.0.bias', 'features.1.weight' and" in text
    weights = dict(net.state_dict())
    weights.pop("conv2.0.weight")
    text = refused(net, prefixed("module.", weights))
    assert (
        "from ResNet9 (after `module.` was removed from its names): it lacks 'conv2.0.weight'; it begins with" in text
    )
    assert "'module.conv1.0.weight'" in text
    text = refused(net, net.state_dict() | {"head.weight": torch.ones(2)})
    assert text.endswith("it has 'head.weight', which the model lacks.")


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("name", ["ResNet9", "ResNet18", "SmallCNN", "AllCNN", "MobileNet_v2"])
def test_other_classes_and_channels_are_said(name, prefix):
    here = build_model(name, 10, 3)
    text = refused(here, prefixed(prefix, build_model(name, 100, 3).state_dict()))
    assert text.startswith("x.pt: the checkpoint is for 100 classes, but the network here is for 10: it has '")
    assert "of shape [100, " in text
    text = refused(here, prefixed(prefix, build_model(name, 10, 1).state_dict()))
    assert (
        "the checkpoint is for images of 1 channel (grey), but the network here is for 3 channels (colour): " in text
    )
    text = refused(here, prefixed(prefix, build_model(name, 5, 1).state_dict()))
    assert "is for 5 classes, but the network here is for 10, and for images of 1 channel (grey), but" in text


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64"])
def test_other_floats_are_converted_and_it_is_said(net, kind):
    weights = {
        name: tensor.to(getattr(torch, kind)) if tensor.is_floating_point() else tensor
        for name, tensor in net.state_dict().items()
    }
    found, notes = fitted_weights(net, Checkpoint(weights), "x.pt")
    assert found is weights
    assert notes == (f"The weights are {kind}; the network computes with them as float32.",)


def test_values_that_a_network_cannot_take_are_refused(net):
    weights = net.state_dict()
    whole = {**weights, "conv1.0.weight": weights["conv1.0.weight"].to(torch.int8)}
    assert "has 'conv1.0.weight' as int8 where the model has float32, so its weights may be" in refused(net, whole)
    mixed = {**weights, "conv1.0.weight": weights["conv1.0.weight"].to(torch.complex64)}
    assert "has 'conv1.0.weight' as complex64 where the model has float32; save" in refused(net, mixed)
    for value in (float("nan"), float("inf")):
        bad = {**weights, "conv1.0.weight": weights["conv1.0.weight"].clone()}
        bad["conv1.0.weight"][0, 0, 0, 0] = value
        assert refused(net, bad) == "x.pt: has values in 'conv1.0.weight' that are not finite."
