"""What a mask answers, worked out by hand, for heads of every kind; and that it lasts wherever the model goes."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from antisample.checkpoints.checkpoint import load_checkpoint, weights_fingerprint
from antisample.config import UnlearnConfig
from antisample.errors import ConfigError
from antisample.export.model_files import write_model
from antisample.inputs import request_data
from antisample.methods import UnlearnContext, find_method, method_config
from antisample.methods.editing import batches_at
from antisample.metrics.relearn import Relearn
from antisample.models import build_model
from antisample.models.head import find_head
from antisample.models.masked_outputs import MaskedOutputs
from antisample.models.original import OriginalModel
from antisample.models.stages import StageOutputs
from antisample.types import Preprocessing
from antisample.unlearning import subject_of, unlearn

CPU = torch.device("cpu")
IN_THE_HEAD = ("Biased", "OnePosition", "TwoHeads")
BEHIND_IT = (
    "Biasless", "LogSoftmax", "Tempered", "Clamped", "InPlace", "Shared", "ByHand", "Parametrised", "Averaged",
)  # fmt: skip


@pytest.fixture(autouse=True)
def networks(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)


@pytest.fixture
def with_network(digits_inputs):
    """The digits with a network of the user's own, as it comes from its builder."""

    def make(name):
        full = f"networks_with_heads:{name}"
        torch.manual_seed(4)
        weights = build_model(full, 10, 1, None, (8, 8)).state_dict()
        original = OriginalModel(full, weights, Preprocessing((0.3,), (0.4,)), weights_fingerprint(weights))
        return dataclasses.replace(digits_inputs, original=original)

    return make


def context_of(inputs, classes=(3,), seed=1):
    splits = inputs.splits
    if classes != splits.forget_classes:
        train = np.concatenate([splits.forget, splits.retain])
        forget = np.isin(inputs.dataset.train.labels[train], classes)
        splits = dataclasses.replace(
            splits, forget_classes=classes, forget=train[forget], retain=train[~forget], fingerprint="others"
        )
    return UnlearnContext(inputs.dataset, splits, inputs.original, CPU, seed)


def logits_of(model, context):
    images = next(batches_at(context, np.arange(300)))
    with torch.inference_mode():
        return model.eval()(images)


def masked(context):
    return find_method("mask").prepare(context, method_config("mask")).model


@pytest.mark.parametrize("classes", [(3,), (0, 3, 9)])
@pytest.mark.parametrize("name", [*IN_THE_HEAD, *BEHIND_IT])
def test_the_other_classes_are_renormalised_and_the_forgotten_have_probability_0(with_network, name, classes):
    context = context_of(with_network(name), classes)
    model = masked(context)
    logits = logits_of(model, context)
    before = logits_of(context.original.build(context.dataset, CPU), context).softmax(1)
    expected = before.clone()
    expected[:, list(classes)] = 0
    expected /= expected.sum(dim=1, keepdim=True)
    assert logits.shape == (300, 10)
    assert (logits[:, list(classes)] == -1e4).all()
    torch.testing.assert_close(logits.softmax(1), expected, rtol=1e-4, atol=1e-6)
    assert (logits.softmax(1)[:, list(classes)] == 0).all()
    assert torch.equal(logits.argmax(1), expected.argmax(1))
    assert isinstance(model, MaskedOutputs) is (name in BEHIND_IT)


def test_one_image_by_hand(with_network):
    """Logits (0, ln 2, ln 5) of three classes: without the last, the softmax is 1/3 and 2/3."""

    class Given(torch.nn.Module):
        def forward(self, images):
            return images

    given = torch.tensor([[0.0, math.log(2), math.log(5)]])
    assert MaskedOutputs(Given(), [2], 3)(given).softmax(1).tolist() == [
        [pytest.approx(1 / 3), pytest.approx(2 / 3), 0]
    ]


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("Biased", ("head", True, True, True, False)),
        ("Biasless", ("head", False, True, True, False)),
        ("LogSoftmax", ("head", True, False, True, False)),
        ("Tempered", ("head", True, False, False, False)),
        ("InPlace", ("head", True, False, False, False)),
        ("Shared", ("head", True, True, True, True)),
        ("Averaged", ("head", True, False, True, False)),
        ("OnePosition", ("head", True, True, True, False)),
        ("TwoHeads", ("head", True, True, True, False)),
        ("ByHand", None),
        ("Parametrised", None),
    ],
)
def test_a_head_is_described_as_it_is_and_the_network_is_left_alone(with_network, name, head):
    context = context_of(with_network(name))
    model = context.original.build(context.dataset, CPU)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    images = next(batches_at(context, np.arange(8)))
    found = find_head(model, images, 10)
    assert (found if found is None else dataclasses.astuple(found)) == head
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in list(model.modules())[1:])


@pytest.mark.parametrize(
    ("model", "head"),
    [
        ("SmallCNN", "classifier.2"),
        ("ResNet9", "classifier.2"),
        ("AllCNN", "classifier.2"),
        ("ResNet18", "fc"),
        ("MobileNet_v2", "classifier.1"),
    ],
)
def test_every_packaged_network_has_a_head_with_a_bias_and_nothing_behind(model, head):
    found = find_head(build_model(model, 10, 3), torch.randn(2, 3, 32, 32), 10)
    assert dataclasses.astuple(found) == (head, True, True, True, False)


@pytest.mark.parametrize("name", ["Biased", "Biasless"])
def test_one_report_of_no_epochs_whose_metrics_are_finite(with_network, digits_config, name):
    inputs = with_network(name)
    config = digits_config.model_copy(update={"method": method_config("mask"), "model": _model(name)})
    running = unlearn(config, inputs)
    (report,) = running
    assert (report.step, report.last, report.train_loss) == (0, True, 0.0)
    assert 0 < report.elapsed_s < 60
    values = report.metrics.values
    assert np.isfinite(list(values.values())).all()
    assert values["test/forget_accuracy"] == values["test/forget_confidence"] == 0
    assert 9_900 < values["test/forget_loss"] < 10_100
    again = unlearn(config, inputs)
    again.load_state_dict(running.state_dict())
    assert list(again) == []
    assert list(running) == []


@pytest.mark.parametrize("name", ["Biased", "Biasless", "LogSoftmax"])
def test_files_of_every_format_answer_as_the_masked_model_does(with_network, digits_config, tmp_path, name):
    inputs = with_network(name)
    config = digits_config.model_copy(update={"method": method_config("mask"), "model": _model(name)})
    running = unlearn(config, inputs)
    list(running)
    files, problems = write_model(running, tmp_path, ["onnx", "torch.export"])
    assert not problems
    assert len(files) == 3
    checkpoint = load_checkpoint(tmp_path / "model.safetensors")
    assert json.loads(checkpoint.metadata.get("masked_classes", "[]")) == ([] if name == "Biased" else [3])
    context = context_of(inputs)
    images = next(batches_at(context, np.arange(50)))
    with torch.inference_mode():
        expected = running.model.eval()(images)
        rebuilt = inputs.original.with_weights(inputs.dataset, checkpoint.state_dict).eval()
        torch.testing.assert_close(rebuilt(images), expected)
        program = torch.export.load(tmp_path / "model.pt2").module()
        torch.testing.assert_close(program(images), expected)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": images.numpy()})
    torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=0, atol=1e-3)


def test_weights_of_masked_outputs_do_not_fit_the_bare_network(with_network):
    inputs = with_network("Biasless")
    weights = masked(context_of(inputs)).state_dict()
    with pytest.raises(RuntimeError, match="masked_classes"):
        inputs.original.untrained(inputs.dataset).load_state_dict(weights)


def test_a_masked_model_can_be_the_original_of_another_request(with_network):
    inputs = with_network("Biasless")
    first = dict(masked(context_of(inputs)).state_dict())
    after = dataclasses.replace(inputs, original=dataclasses.replace(inputs.original, state_dict=first))
    context = context_of(after, classes=(5,))
    model = masked(context)
    assert model.classes == (3, 5)
    assert not isinstance(model.network, MaskedOutputs)
    assert (logits_of(model, context)[:, [3, 5]] == -1e4).all()


def test_a_masked_model_is_probed_and_relearned_as_the_network_within(with_network, digits_config):
    inputs = with_network("Biasless")
    context = context_of(inputs)
    model = masked(context)
    images = next(batches_at(context, np.arange(20)))
    with StageOutputs(model, ("body",)) as outputs, StageOutputs(model.network, ("body",)) as within:
        assert torch.equal(outputs(images), within(images))
    subject = subject_of(model, inputs, digits_config)
    assert Relearn().compute(subject, "validation")["relearn_epochs"] >= 0


def test_single_images_are_refused_with_the_reason(digits_config, digits_inputs):
    for name, why in (
        ("mask", "takes whole classes out of the answers and leaves what is said of single images"),
        ("filtration", "filters the mean logits of whole classes"),
        ("head", "fits the last layer to answers without whole classes"),
        ("unsir", "forgets classes"),
    ):
        config = UnlearnConfig.parse(
            {**digits_config.model_dump(), "method": {"name": name}, "forget": {"samples": [1, 2]}}
        )
        with pytest.raises(ConfigError, match=f"The method '{name}' {why}, so `forget` must name classes"):
            request_data(config, digits_inputs.dataset)


def _model(name):
    return UnlearnConfig.model_fields["model"].annotation(name=f"networks_with_heads:{name}", accept_original=True)
