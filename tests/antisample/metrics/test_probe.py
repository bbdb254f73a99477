"""The probe: its fit, its figures on networks that can be worked out by hand, and a trick that it sees through."""

import dataclasses
from typing import Literal

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from antisample import methods
from antisample.config import UnlearnConfig
from antisample.data.drawing import SplitConfig
from antisample.data.forget_request import ForgetRequest
from antisample.data.splits import make_splits
from antisample.errors import ConfigError, DivergedError
from antisample.inputs import load_inputs, request_data
from antisample.methods import MethodConfig, OriginalModel
from antisample.metrics import EvaluationConfig, EvaluationSubject, ProbeAnchors, evaluate, left_out_notes
from antisample.metrics.logistic_probe import C, LogisticProbe
from antisample.metrics.probe import (
    FittedProbe,
    Probe,
    ProbeImages,
    probe_anchors,
    stage_features,
    standard_error,
)
from antisample.metrics.probe_cache import kept_anchors
from antisample.models.stages import StageOutputs
from antisample.types import Dataset, ImageSet, Preprocessing
from antisample.unlearning import evaluate_finished, evaluate_original, subject_of, unlearn

CPU = torch.device("cpu")


@pytest.fixture
def subject(digits_inputs, digits_config):
    model = digits_inputs.original.build(digits_inputs.dataset, CPU)
    return subject_of(model, digits_inputs, digits_config)


class TestFit:
    @pytest.mark.parametrize(("n", "d", "classes"), [(300, 20, 4), (40, 200, 3), (100, 100, 10)])
    def test_it_is_that_of_scikit_learn(self, n, d, classes):
        rng = np.random.default_rng(n)
        labels = np.arange(n) % classes
        features = (rng.normal(size=(n, d)) * rng.uniform(0.1, 9, d) + rng.normal(size=(classes, d))[labels]).astype(
            np.float32
        )
        features[:, 3] = 7.5  # a constant feature says nothing
        scaler = StandardScaler().fit(features.astype(np.float64))
        theirs = LogisticRegression(C=C, solver="newton-cg", tol=1e-7, max_iter=10_000).fit(
            scaler.transform(features), labels
        )
        ours = LogisticProbe.fit(features, labels, classes)
        fresh = (rng.normal(size=(50, d)) * 3).astype(np.float32)
        fresh[:, 3] = 7.5
        difference = fresh @ ours.weights + ours.intercepts - theirs.decision_function(scaler.transform(fresh))
        assert np.ptp(difference, axis=1).max() < 1e-4  # scores are the same up to a constant for each image

    def test_features_that_are_the_class_are_recognised_and_constant_ones_by_chance(self):
        labels = np.repeat(np.arange(4), 10)
        one_hot = np.eye(4, dtype=np.float32)[labels]
        assert LogisticProbe.fit(one_hot, labels, 4).recognised(one_hot, labels).tolist() == [1.0] * 40
        constant = np.full((40, 3), 0.1, np.float32)
        assert LogisticProbe.fit(constant, labels, 4).recognised(constant, labels) == pytest.approx(0.25)


class Pixel(nn.Module):
    """Gives the value of an image's one pixel as one-hot features, or 1 for all of them, in a stage of that name."""

    def __init__(self, n_classes, constant=False):
        super().__init__()
        self.constant = constant
        self.stage = nn.Identity()
        self.fc = nn.Linear(n_classes, n_classes)

    def forward(self, images):
        values = nn.functional.one_hot(images.flatten(1)[:, 0].round().long() % 10, self.fc.in_features).float()
        return self.fc(self.stage(torch.ones_like(values) if self.constant else values))


def hand_case(forget=(1,), seen=None, unseen=None):
    """Three classes of 60 training and 10 test images. A pixel is the label, but as `seen` and `unseen` say."""
    train, test = np.repeat(np.arange(3), 60), np.repeat(np.arange(3), 10)
    pixels = [labels.copy() for labels in (train, test)]
    for values, change in zip(pixels, (seen, unseen), strict=True):
        if change is not None:
            values[change[0]] = change[1]
    parts = [
        ImageSet(values.astype(np.uint8).reshape(-1, 1, 1, 1), labels)
        for values, labels in zip(pixels, (train, test), strict=True)
    ]
    data = Dataset("hand", *parts, ("a", "b", "c"), "x")
    splits = make_splits(data, ForgetRequest(classes=forget), SplitConfig(), has_checkpoint=True)
    return data, splits


def pixel_subject(case, constant=False):
    data, splits = case
    original = OriginalModel("none", {}, Preprocessing((0.0,), (1 / 255,)), "z")
    return EvaluationSubject(Pixel(3, constant), data, splits, original, EvaluationConfig())


def fitted(subject, monkeypatch):
    monkeypatch.setattr(type(subject.original), "stage_names", lambda *_: ("stage",))
    return FittedProbe.of(subject, subject.model)


ANCHORS = ProbeAnchors({}, {}, (1.0,), (0.5,), (0.0,))


def test_a_network_whose_outputs_are_the_class_is_recognised_by_all_probes(monkeypatch):
    subject = pixel_subject(hand_case())
    values = fitted(subject, monkeypatch).figures(subject, "test", ANCHORS)
    assert values == {
        "probe_forget": 1.0,
        "probe_unseen": 1.0,
        "probe_gap": 0.0,
        "probe_retain": 1.0,
        "probe_few": 1.0,
        "probe_left": 1.0,
        "probe_left_worst": 1.0,
        "probe_error": 0.0,
    }


def test_a_network_whose_outputs_are_constant_is_recognised_by_chance(monkeypatch):
    subject = pixel_subject(hand_case(), constant=True)
    values = fitted(subject, monkeypatch).figures(subject, "test", ANCHORS)
    third = pytest.approx(1 / 3)
    assert {name: values[name] for name in ("probe_forget", "probe_unseen", "probe_few", "probe_retain")} == {
        "probe_forget": third,
        "probe_unseen": third,
        "probe_few": third,
        "probe_retain": third,
    }
    assert values["probe_left"] == pytest.approx((1 / 3 - 0.5) / 0.5)


def test_the_gap_is_what_training_images_are_recognised_better_than_held_out_ones(monkeypatch):
    case = hand_case(unseen=(slice(10, 20), 2))  # all held-out images of class 1 look like class 2
    subject = pixel_subject(case)
    values = fitted(subject, monkeypatch).figures(subject, "test", ANCHORS)
    assert (values["probe_forget"], values["probe_unseen"], values["probe_gap"]) == (1.0, 0.0, 1.0)
    assert values["probe_retain"] == 1.0


def test_several_classes_have_a_mean_and_a_worst(monkeypatch):
    subject = pixel_subject(hand_case(forget=(0, 1)))
    values = fitted(subject, monkeypatch).figures(
        subject, "test", ProbeAnchors({}, {}, (1.0, 0.9), (0.5, 0.5), (0.01, 0.01))
    )
    assert values["probe_left"] == pytest.approx((1 + 1.25) / 2)
    assert values["probe_left_worst"] == pytest.approx(1.25)


class TestAnchors:
    def test_left_is_one_for_the_original_and_zero_for_an_untrained_network(self):
        anchors = ProbeAnchors({}, {}, (0.7, 0.8), (0.1, 0.2), (0.01, 0.01))
        assert anchors.left((0.7, 0.8)) == pytest.approx((1, 1))
        assert anchors.left((0.1, 0.2)) == pytest.approx((0, 0))
        assert anchors.left((0.4, 0.2)) == pytest.approx((0.5, 0))
        assert anchors.informative
        assert anchors.notes(("a", "b")) == ()

    def test_a_class_of_which_the_probe_tells_nothing_is_left_out(self):
        anchors = ProbeAnchors({}, {}, (0.7, 0.22), (0.1, 0.2), (0.01, 0.011))
        assert anchors.informative_classes == (True, False)
        assert anchors.informative
        assert anchors.left((0.4, 0.9)) == pytest.approx((0.5,))
        (note,) = anchors.notes(("cat", "dog"))
        assert "(dog: 22.0% and 20.0%). This class is left out of `probe_left`." in note

    @pytest.mark.parametrize(("original", "error"), [(0.21, 0.01), (0.2, 0.0), (0.1, 0.01)])
    def test_a_probe_that_tells_nothing_gives_one_and_a_note_with_both_values(self, original, error):
        anchors = ProbeAnchors({}, {}, (original,), (0.2,), (error,))
        assert not anchors.informative
        assert anchors.left((0.0,)) == (1.0,)
        (note,) = anchors.notes(("cat",))
        assert note.startswith("The probe is uninformative")
        assert f"(cat: {original:.1%} and 20.0%). So `probe_left` is 1 and decides nothing." in note

    def test_the_standard_error_counts_draws_and_images(self):
        rng = np.random.default_rng(0)
        many = [
            rng.normal(0, 1, (30, 1)) + rng.normal(0, 2, (1, 200)) + rng.normal(0, 1, (30, 200)) for _ in range(300)
        ]
        expected = (1 / 30 + 4 / 200 + 1 / 6000) ** 0.5
        assert np.std([each.mean() for each in many]) == pytest.approx(expected, rel=0.15)
        assert np.mean([standard_error(each) for each in many]) == pytest.approx(expected, rel=0.1)


class TestImages:
    def test_they_are_the_same_for_every_network_and_others_for_another_seed(self, digits_inputs):
        first, again, other = (
            ProbeImages.of(digits_inputs.dataset, digits_inputs.splits, seed) for seed in (0, 0, 1)
        )
        for field in dataclasses.fields(first):
            assert np.array_equal(getattr(first, field.name), getattr(again, field.name))
            assert not np.array_equal(getattr(first, field.name), getattr(other, field.name))

    def test_half_of_a_small_class_is_kept_to_judge_and_no_class_is_fitted_to_more_of(self, digits_inputs):
        dataset, splits = digits_inputs.dataset, digits_inputs.splits
        images = ProbeImages.of(dataset, splits, 0)
        labels = dataset.train.labels
        assert np.bincount(labels[images.fit]).tolist() == [len(splits.forget) // 2] * 10
        assert sorted([*images.fit[labels[images.fit] == 3], *images.judged]) == splits.forget.tolist()
        assert images.draws.shape == (30, 100)
        assert all(np.bincount(labels[images.fit[draw]]).tolist() == [10] * 10 for draw in images.draws)
        assert not np.isin(images.fit, splits.validation).any()

    def test_there_are_at_most_20000_rows_and_2000_to_judge(self):
        labels = np.repeat(np.arange(50), 2500)
        images = ImageSet(np.zeros((len(labels), 1, 1, 1), np.uint8), labels)
        data = Dataset("many", images, images, tuple(map(str, range(50))), "x")
        splits = make_splits(data, ForgetRequest(classes=(1, 2)), SplitConfig(), has_checkpoint=True)
        chosen = ProbeImages.of(data, splits, 0)
        assert np.bincount(labels[chosen.fit]).tolist() == [400] * 50
        assert np.bincount(labels[chosen.judged]).tolist() == [0, 1000, 1000]


def test_what_does_not_depend_on_the_part_is_the_same_in_both(subject):
    values = evaluate(subject, ("validation", "test"), ("probe",)).values
    for name in ("probe_forget", "probe_few", "probe_left", "probe_left_worst", "probe_error"):
        assert values[f"validation/{name}"] == values[f"test/{name}"]
    assert values["validation/probe_left"] == 1.0


def test_the_untrained_network_is_the_same_whatever_the_global_random_numbers(subject):
    first = probe_anchors(subject)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        state = torch.get_rng_state()
        assert probe_anchors(subject) == first
        assert torch.equal(torch.get_rng_state(), state)
    assert 0 < first.few_untrained[0] < first.few_original[0]
    assert first.untrained["test/probe_left"] == 0


def test_the_values_of_original_and_untrained_network_are_measured_once(subject, tmp_path, monkeypatch):
    measured = []
    once = FittedProbe.of.__func__
    monkeypatch.setattr(
        FittedProbe, "of", classmethod(lambda cls, *arguments: measured.append(1) or once(cls, *arguments))
    )
    first = kept_anchors(subject, tmp_path)
    assert len(measured) == 2
    assert kept_anchors(subject, tmp_path) == first == subject.probe
    assert len(measured) == 2
    (path,) = (tmp_path / "probes").iterdir()
    path.write_bytes(path.read_bytes()[:-1])  # damaged
    assert kept_anchors(subject, tmp_path) == first
    assert len(measured) == 4
    others = [
        dataclasses.replace(subject, settings=subject.settings.model_copy(update={"seed": 1})),
        dataclasses.replace(subject, original=dataclasses.replace(subject.original, stages=("features.10",))),
    ]
    for other in others:
        kept_anchors(other, tmp_path)
    assert len(list((tmp_path / "probes").iterdir())) == 3


def test_the_originals_figures_are_those_of_any_network(digits_config, digits_inputs):
    model = digits_inputs.original.build(digits_inputs.dataset, CPU)
    expected = evaluate_finished(model, digits_inputs, digits_config)
    assert evaluate_original(digits_inputs, digits_config) == expected
    assert "test/probe_left" in expected.values


def test_outputs_that_are_not_finite_are_an_error_not_a_value(subject):
    with torch.no_grad():
        subject.model.features[0].weight.fill_(float("nan"))
    with pytest.raises(DivergedError, match="outputs of the network's stages are not finite"):
        evaluate(subject, ("validation",), ("probe",))


def test_samples_have_no_probe_and_nobody_needs_to_hear_it(digits_config):
    samples = UnlearnConfig.parse({**_plain(digits_config), "forget": {"samples": list(range(40))}})
    dataset = load_inputs(digits_config).dataset
    data = request_data(samples, dataset)
    assert "probe" in data.left_out
    assert not any("probe" in note for note in left_out_notes(data.left_out, data.splits))
    inputs = load_inputs(samples, data=data)
    assert inputs.probe is None
    assert not any("probe" in note for note in inputs.notes)
    assert "probe" not in inputs.families(samples)
    asked = UnlearnConfig.parse(
        {**_plain(digits_config), "forget": {"samples": list(range(40))}, "evaluation": {"final": ["probe"]}}
    )
    with pytest.raises(ConfigError, match="The probe is defined for forgotten classes; remove `probe`"):
        request_data(asked, dataset)


def _plain(config):
    """The configuration of the digits with a method that forgets samples."""
    return {
        "data": config.data,
        "model": config.model,
        "method": {"name": "random_labels", "epochs": 1},
        "device": "cpu",
    }


def test_classes_with_too_few_images_say_why():
    data, splits = hand_case()
    assert Probe().problems(data, splits) == []
    few = dataclasses.replace(splits, retain=splits.retain[50:])  # ten images of class 0 are left
    (problem,) = Probe().problems(data, few)
    assert problem == "The probe needs at least 20 training images of each class, but there are 10 of a"


class TestNetworksWithoutStages:
    """Of a user's own network, it is known before any work."""

    @pytest.fixture(autouse=True)
    def module(self, tmp_path, monkeypatch):
        (tmp_path / "bare_network.py").write_text(
            "from torch import nn\n\n\ndef build(n_classes, in_channels):\n"
            "    return nn.Sequential(nn.Flatten(), nn.Linear(64, n_classes))\n"
        )
        monkeypatch.syspath_prepend(tmp_path)

    def config(self, digits_config, name="bare_network:build", stages=(), **evaluation):
        values = {
            "data": digits_config.data,
            "model": {"name": name, "stages": list(stages), "recipe": {"epochs": 1}},
            "forget": {"classes": [3]},
            "device": "cpu",
        }
        return UnlearnConfig.parse({**values, "evaluation": evaluation} if evaluation else values)

    def test_the_default_leaves_the_probe_out_with_a_note(self, digits_config, digits_inputs):
        data = request_data(self.config(digits_config), digits_inputs.dataset)
        assert data.left_out["probe"] == (
            f"The metrics {', '.join(Probe.names)} are skipped. "
            "The network bare_network:build has no stages: none of its layers with weights is called "
            "before its head. Name modules in `model.stages`."
        )
        assert left_out_notes(data.left_out, data.splits) == (data.left_out["probe"],)

    def test_a_probe_that_was_asked_for_is_refused(self, digits_config, digits_inputs):
        config = self.config(digits_config, final=["probe"])
        with pytest.raises(ConfigError, match="bare_network:build has no stages"):
            request_data(config, digits_inputs.dataset)

    @pytest.mark.parametrize("name", ["bare_network:build", "SmallCNN"])
    def test_a_stage_that_does_not_exist_is_refused_whether_or_not_it_is_needed(
        self, digits_config, digits_inputs, name
    ):
        for evaluation in ({}, {"final": ["zrf"]}):
            config = self.config(digits_config, name, ["layer9"], **evaluation)
            with pytest.raises(ConfigError, match=f"of the network {name}, but 'layer9' is none of them"):
                request_data(config, digits_inputs.dataset)

    def test_stages_that_are_named_are_those_of_the_original(self, digits_config):
        inputs = load_inputs(self.config(digits_config, "SmallCNN", ["features.10", "features.6"]))
        assert inputs.original.stage_names(inputs.dataset) == ("features.6", "features.10")


class OneDirectionConfig(MethodConfig):
    name: Literal["one_direction"] = "one_direction"
    other: int = 5


class OneDirection:
    """The trick: the direction from another class's mean to the forgotten one's is erased in the last stage."""

    config_type = OneDirectionConfig

    def prepare(self, context, config):
        return OneDirectionRun(context, config.other)


class OneDirectionRun:
    epochs = 1
    epochs_done = 0

    def __init__(self, context, other):
        self.context, self.other = context, other
        self.model = context.original.build(context.dataset, context.device).eval()

    def run_epoch(self):
        context, splits = self.context, self.context.splits
        dataset, (stage,) = context.dataset, context.original.stage_names(context.dataset)[-1:]
        subject = EvaluationSubject(self.model, dataset, splits, context.original)
        features, forget = (
            stage_features(subject, self.model, (stage,), dataset.train, positions).astype(np.float64)
            for positions in (splits.retain, splits.forget)
        )
        labels = dataset.train.labels[splits.retain]
        direction = forget.mean(axis=0) - features[labels == self.other].mean(axis=0)
        direction /= np.linalg.norm(direction)
        head = LogisticRegression(C=10, max_iter=500).fit(
            features - np.outer(features @ direction, direction), labels
        )
        weights, bias = np.zeros((dataset.n_classes, len(direction))), np.full(dataset.n_classes, -1e4)
        weights[head.classes_], bias[head.classes_] = head.coef_, head.intercept_
        with torch.no_grad():
            self.model.classifier[2].weight.copy_(torch.from_numpy(weights))
            self.model.classifier[2].bias.copy_(torch.from_numpy(bias))
        along = torch.from_numpy(direction).float()
        self.model.get_submodule(stage).register_forward_hook(
            lambda _, __, out: out - torch.einsum("nchw,c->nhw", out, along).unsqueeze(1) * along.view(-1, 1, 1)
        )
        self.epochs_done = 1
        return 0.0


def test_a_trick_that_erases_one_direction_of_the_last_stage_is_no_deeper_than_a_mask(
    digits_inputs, digits_config, monkeypatch
):
    monkeypatch.setitem(methods._METHODS, "one_direction", OneDirection())
    config = UnlearnConfig.parse(
        {**_plain(digits_config), "method": {"name": "one_direction"}, "forget": {"classes": [3]}}
    )
    (report,) = unlearn(config, digits_inputs)
    values = report.metrics.values
    assert values["test/forget_accuracy"] == 0
    assert values["test/retain_accuracy"] > 0.9
    assert values["test/probe_left"] > 0.8


def test_stage_outputs_are_those_of_the_batch(subject):
    stages = subject.original.stage_names(subject.dataset)
    images, positions = subject.dataset.test, np.arange(7)
    features = stage_features(subject, subject.model, stages, images, positions)
    with StageOutputs(subject.model, stages) as outputs:
        whole = outputs(subject.normaliser()(torch.from_numpy(images.images[positions]))).numpy()
    assert features == pytest.approx(whole, abs=1e-6)
    assert features.shape == (7, 32 + 64 + 128)
