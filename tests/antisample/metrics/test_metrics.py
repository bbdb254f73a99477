import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from antisample.data.drawing import SplitConfig
from antisample.errors import ConfigError, DivergedError
from antisample.inputs import load_inputs
from antisample.methods import OriginalModel
from antisample.metrics import (
    PARTS,
    EvaluationConfig,
    EvaluationSubject,
    Predictions,
    RetrainedReference,
    evaluate,
    family_names,
    metric_names,
    part_positions,
    summarise,
)
from antisample.metrics.membership import attack_accuracy, membership_inference
from antisample.metrics.relearn import Relearn
from antisample.metrics.retrained import Retrained
from antisample.metrics.retrained_reference import ReferenceTraining
from antisample.metrics.zrf import Zrf, js_divergence
from antisample.models import build_model
from antisample.seeds import derive
from antisample.testing import MetricConformance
from antisample.types import Dataset, ImageSet, Preprocessing, Splits
from antisample.unlearning import evaluate_finished, evaluate_original

CPU = torch.device("cpu")
# Of samples, and of requests after others: see test_rmia.py and ../data/test_earlier_requests.py.
OF_OTHER_REQUESTS = {"rmia", "earlier", "earlier_probe"}


class TestClassification(MetricConformance):
    name = "classification"


class TestMembership(MetricConformance):
    name = "membership"


class TestMask(MetricConformance):
    name = "mask"


class TestProbe(MetricConformance):
    name = "probe"


class TestZrf(MetricConformance):
    name = "zrf"


class TestRetrained(MetricConformance):
    name = "retrained"
    needs_reference = True


class TestSimilarity(MetricConformance):
    name = "similarity"


class TestReferenceSimilarity(MetricConformance):
    name = "reference_similarity"
    needs_reference = True


class TestMiaEfficacy(MetricConformance):
    name = "mia_efficacy"


class TestRelearnSteps(MetricConformance):
    name = "relearn_steps"


class TestRelearn(MetricConformance):
    name = "relearn"


def test_every_family_has_a_conformance_suite():
    assert {suite.name for suite in MetricConformance.__subclasses__()} == set(family_names()) - OF_OTHER_REQUESTS


class Lookup(nn.Module):
    """Gives each image, known by its one pixel, fixed logits."""

    def __init__(self, logits):
        super().__init__()
        self.table = nn.Parameter(torch.tensor(logits, dtype=torch.float32), requires_grad=False)

    def forward(self, images):
        return self.table[images.flatten().round().long()]


def hand_case():
    """Four images; class 1 is forgotten. Softmax of (0, ln 3) is (1/4, 3/4)."""
    ln3 = float(np.log(3))
    logits = [[0.0, ln3], [ln3, 0.0], [0.0, ln3], [ln3, 0.0]]
    labels = np.array([1, 1, 0, 0])
    images = ImageSet(np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1), labels)
    data = Dataset("hand", images, images, ("a", "b"), "x")
    everything = np.arange(4)
    splits = Splits((1,), np.array([0, 1]), np.array([2, 3]), everything, "test", everything, "y")
    original = OriginalModel("none", {}, Preprocessing((0.0,), (1 / 255,)), "z")
    return EvaluationSubject(Lookup(logits), data, splits, original, EvaluationConfig(batch_size=3))


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_metrics_of_a_hand_computed_case(part):
    metrics = evaluate(hand_case(), (part,))
    # Forget images are given their class with 3/4 and 1/4; retain images theirs with 1/4 and 3/4.
    mean_loss = -(np.log(0.75) + np.log(0.25)) / 2
    expected = {
        "forget_accuracy": 0.5,
        "retain_accuracy": 0.5,
        "forget_confidence": 0.5,
        "forget_loss": mean_loss,
        "retain_loss": mean_loss,
        "forget_gap": 0.5,
    }
    assert metrics.values == pytest.approx({f"{part}/{name}": value for name, value in expected.items()}, rel=1e-6)
    assert metrics.counts == {f"{part}/forget": 2, f"{part}/retain": 2}


def test_confidence_tells_apart_what_accuracy_does_not():
    labels = np.array([0, 0, 1])
    sure = Predictions(np.array([[0.49, 0.51], [0.4, 0.6], [0, 1]], np.float32), np.zeros(3, np.float32), labels)
    unsure = Predictions(np.array([[0.01, 0.99], [0.0, 1.0], [0, 1]], np.float32), np.zeros(3, np.float32), labels)
    first, second = summarise(sure, (0,)), summarise(unsure, (0,))
    assert first["forget_accuracy"] == second["forget_accuracy"] == 0
    assert first["forget_confidence"] == pytest.approx(0.445)
    assert second["forget_confidence"] == pytest.approx(0.005)


def test_several_forget_classes_count_by_their_own_class():
    labels = np.array([0, 1, 2])
    table = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]], np.float32)
    values = summarise(Predictions(table, np.zeros(3, np.float32), labels), (0, 1))
    assert values["forget_accuracy"] == 0.5
    assert values["forget_confidence"] == pytest.approx(0.5)


def test_outputs_that_are_not_finite_are_an_error_not_a_value():
    subject = hand_case()
    subject.model.table[0, 0] = float("nan")
    with pytest.raises(DivergedError, match=r"validation/forget_confidence is nan"):
        evaluate(subject, ("validation",))


def test_evaluation_restores_the_mode_of_the_model():
    for training in (True, False):
        subject = hand_case()
        subject.model.train(training)
        evaluate(subject, ("test",))
        assert subject.model.training is training


def test_a_limit_on_train_images_spreads_over_the_retain_set_and_keeps_all_forget_images():
    subject = hand_case()
    many = dataclasses.replace(subject.splits, retain=np.arange(1000, 2000))
    _, positions = part_positions(subject.dataset, many, "train", 5)
    assert positions.tolist() == [0, 1, 1000, 1249, 1499, 1749, 1999]


def test_names_are_those_that_evaluate_gives(digits_config, digits_inputs, cache_dir):
    subject = with_reference(digits_config, digits_inputs, cache_dir)
    for_classes = [name for name in family_names() if name not in OF_OTHER_REQUESTS]
    assert set(evaluate(subject, PARTS, for_classes).values) == set(metric_names(for_classes))
    assert set(evaluate(subject).values) == set(metric_names(("classification",)))


def with_reference(config, inputs, cache_dir):
    """The original model of the digits as the subject, with a retrained reference."""
    model = inputs.original.build(inputs.dataset, CPU)
    settings = EvaluationConfig(relearn_max_epochs=2)
    training = ReferenceTraining(
        config.model.recipe, inputs.dataset, inputs.splits, inputs.original, cache_dir, seed=0
    )
    reference = training.reference(CPU, settings, with_features=True)
    return EvaluationSubject(model, inputs.dataset, inputs.splits, inputs.original, settings, reference)


def table(probabilities, labels):
    """Predictions with these probabilities."""
    probabilities, labels = np.array(probabilities, np.float32), np.array(labels)
    losses = -np.log(np.take_along_axis(probabilities, labels[:, None], 1).squeeze(1))
    return Predictions(probabilities, losses, labels)


def test_the_divergence_of_a_hand_computed_case():
    # Sure of different classes: 1 bit. The same: 0. (1, 0) against (1/2, 1/2): the average is (3/4, 1/4), so
    # half of log2(4/3), plus half of (log2(2/3) + log2 2) / 2.
    first = np.array([[1, 0], [0.3, 0.7], [1, 0]], np.float32)
    second = np.array([[0, 1], [0.3, 0.7], [0.5, 0.5]], np.float32)
    expected = 0.5 * np.log2(4 / 3) + 0.25 * (np.log2(2 / 3) + 1)
    assert js_divergence(first, second) == pytest.approx([1, 0, expected], abs=1e-7)
    assert js_divergence(second, first) == pytest.approx(js_divergence(first, second))


def test_zrf_is_one_minus_the_divergence_to_a_network_that_knows_nothing(digits_inputs):
    model = digits_inputs.original.build(digits_inputs.dataset, CPU)
    subject = EvaluationSubject(model, digits_inputs.dataset, digits_inputs.splits, digits_inputs.original)
    trained = Zrf().compute(subject, "test")["zrf"]
    with torch.random.fork_rng():
        torch.manual_seed(derive(subject.settings.seed, "incompetent teacher"))
        ignorant = build_model("SmallCNN", 10, 1)
    assert Zrf().compute(dataclasses.replace(subject, model=ignorant, _known={}), "test")["zrf"] == pytest.approx(1)
    assert 0 < trained < 0.7


def test_an_attack_finds_what_differs_and_guesses_where_nothing_does():
    rng = np.random.default_rng(0)
    low, high = rng.normal(0, 1, 300), rng.normal(8, 1, 300)
    apart = attack_accuracy(LogisticRegression(), low, high, 0)
    alike = attack_accuracy(LogisticRegression(), rng.normal(0, 1, 5000), rng.normal(0, 1, 300), 0)
    assert apart == pytest.approx(1, abs=0.01)
    assert alike == pytest.approx(0.5, abs=0.08)
    assert attack_accuracy(LogisticRegression(), low, high, 0) == apart


def test_membership_compares_images_of_the_forgotten_class_alone():
    seen = table([[0.9, 0.1]] * 40 + [[0.5, 0.5]] * 40, [0] * 40 + [1] * 40)
    unseen = table([[0.1, 0.9]] * 40 + [[0.5, 0.5]] * 40, [0] * 40 + [1] * 40)
    assert membership_inference(seen, unseen, (0,), 0) == {"mia_loss": 1.0, "mia_confidence": 1.0}
    assert membership_inference(seen, unseen, (1,), 0) == {"mia_loss": 0.5, "mia_confidence": 0.5}


def test_too_few_images_for_membership_are_a_configuration_error_where_it_was_asked_for(digits_config):
    asked = EvaluationConfig(final=("membership",))
    few = digits_config.model_copy(update={"split": SplitConfig(validation_fraction=0.02), "evaluation": asked})
    with pytest.raises(ConfigError, match=r"at least 10 validation images to forget, but got 3; remove `membership`"):
        load_inputs(few)


def test_too_few_images_leave_membership_out_of_the_default_and_it_is_said(digits_config, digits_inputs):
    few = digits_config.model_copy(update={"split": SplitConfig(validation_fraction=0.02)})
    assert few.evaluation.final == EvaluationConfig().final
    inputs = load_inputs(few)
    assert inputs.notes == (
        "The metrics mia_loss, mia_confidence are skipped. Membership inference needs at least 10 validation images "
        "to forget, but got 3.",
    )
    model = inputs.original.build(inputs.dataset, CPU)
    for measure in (lambda: evaluate_finished(model, inputs, few), lambda: evaluate_original(inputs, few)):
        values = measure().values
        assert "test/zrf" in values
        assert not any("mia" in name for name in values)
    assert digits_inputs.notes == ()
    assert "test/mia_loss" in evaluate_original(digits_inputs, digits_config).values


def test_nearness_to_the_reference_of_a_hand_computed_case():
    # Class 0 is forgotten. Train: we get 5 of 10 forget and 3 of 4 retain images right, the reference 0 and 0.
    # Test: 1 of 2 retain images against 0.
    right, wrong = [0.8, 0.2], [0.2, 0.8]
    kinds = [0] * 10 + [1] * 4, [0] * 10 + [1] * 2
    ours = {
        "train": table([right] * 5 + [wrong] * 5 + [wrong] * 3 + [right], kinds[0]),
        "test": table([wrong] * 10 + [wrong, right], kinds[1]),
    }
    theirs = {
        "train": table([wrong] * 10 + [right] * 4, kinds[0]),
        "test": table([wrong] * 10 + [right] * 2, kinds[1]),
    }
    subject = dataclasses.replace(
        hand_case(),
        splits=dataclasses.replace(hand_case().splits, forget_classes=(0,)),
        reference=RetrainedReference(theirs, 1.0, 0),
        _known=ours,
    )
    attacks = [membership_inference(p["train"], p["test"], (0,), 0)["mia_loss"] for p in (ours, theirs)]
    values = Retrained().compute(subject, "test")
    assert attacks[1] == 0.5  # every forget image has the same loss under the reference
    assert values["retrained_gap"] == pytest.approx((0.5 + 0.75 + 0.5 + abs(attacks[0] - 0.5)) / 4)
    assert values["tow"] == pytest.approx(0.5 * 0.25 * 0.5)
    assert (values["forget_agreement"], values["retain_agreement"]) == (1, 0.5)
    # (0.8, 0.2) against (0.2, 0.8): the average is (1/2, 1/2).
    divergence = 0.8 * np.log2(1.6) + 0.2 * np.log2(0.4)
    assert values["forget_js_distance"] == pytest.approx(0, abs=1e-6)
    assert values["retain_js_distance"] == pytest.approx(np.sqrt(divergence) / 2)


def test_relearn_time_is_zero_for_the_original_and_capped_for_what_does_not_come_back(digits_inputs):
    model = digits_inputs.original.build(digits_inputs.dataset, CPU)
    subject = EvaluationSubject(
        model,
        digits_inputs.dataset,
        digits_inputs.splits,
        digits_inputs.original,
        EvaluationConfig(relearn_max_epochs=1),
    )
    assert Relearn().compute(subject, "validation") == {"relearn_epochs": 0}
    with torch.no_grad():
        model.get_submodule("classifier.2").bias[3] = -1e6  # no epoch at 1e-3 brings that class back
    before = model.state_dict()["classifier.2.weight"].clone()
    dead = Relearn().compute(dataclasses.replace(subject, _known={}), "validation")
    assert dead == {"relearn_epochs": 2}
    assert torch.equal(model.state_dict()["classifier.2.weight"], before)


def test_the_reference_is_trained_once_knows_nothing_of_the_class_and_survives_damage(
    digits_config, digits_inputs, tmp_path
):
    told = []
    training = ReferenceTraining(
        digits_config.model.recipe,
        digits_inputs.dataset,
        digits_inputs.splits,
        digits_inputs.original,
        tmp_path,
        seed=0,
    )
    first, again = (training.reference(CPU, EvaluationConfig(), lambda *epoch: told.append(epoch)) for _ in range(2))
    assert len(told) == digits_config.model.recipe.epochs
    assert summarise(first.predictions["test"], (3,))["forget_accuracy"] == 0
    assert summarise(first.predictions["test"], (3,))["retain_accuracy"] > 0.9
    assert again.elapsed_s == first.elapsed_s > 0
    (path,) = (tmp_path / "models").glob("retrained-*")
    path.write_bytes(path.read_bytes()[:100])
    third = training.reference(CPU, EvaluationConfig())
    np.testing.assert_array_equal(third.predictions["test"].losses, first.predictions["test"].losses)


def test_membership_of_several_classes_does_not_find_their_mix():
    # Class 0 always has a loss that class 1 never has; members are mostly of class 0, others mostly of class 1.
    first, second = [0.9, 0.1], [0.6, 0.4]
    seen = table([first] * 180 + [second] * 20, [0] * 180 + [1] * 20)
    unseen = table([first] * 20 + [second] * 180, [0] * 20 + [1] * 180)
    found = membership_inference(seen, unseen, (0, 1), 0)
    assert all(value == pytest.approx(0.5, abs=0.15) for value in found.values())
