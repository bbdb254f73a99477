"""What a mask keeps, by hand; and the mask, the original and an untrained network under the final metrics."""

import dataclasses

import numpy as np
import pytest

from antisample.metrics import EvaluationSubject, Predictions
from antisample.metrics.mask import MASKED_LOSS, Mask, masked
from antisample.testing.digits import digits_config, digits_inputs
from antisample.types import ImageSet
from antisample.unlearning import evaluate_mask, evaluate_original, evaluate_untrained


def predictions(probabilities, labels):
    probabilities = np.array(probabilities, dtype=np.float32)
    losses = -np.log(probabilities[np.arange(len(labels)), labels])
    return Predictions(probabilities, losses.astype(np.float32), np.array(labels))


def test_a_mask_takes_the_forgotten_classes_out_of_the_softmax():
    answers = masked(predictions([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]], [1, 0]), (0,))
    np.testing.assert_allclose(answers.probabilities, [[0, 0.6, 0.4], [0, 2 / 3, 1 / 3]], rtol=1e-6)
    np.testing.assert_allclose(answers.losses, [-np.log(0.6), MASKED_LOSS], rtol=1e-6)


def test_an_image_that_was_wholly_of_the_forgotten_class_could_be_any_other():
    answers = masked(predictions([[1.0, 0.0, 0.0]], [0]), (0,))
    np.testing.assert_allclose(answers.probabilities, [[0, 0.5, 0.5]])


def test_the_drop_and_its_paired_error_by_hand(digits_inputs):
    names = {"mask": [1, 1, 2, 2], "model": [2, 1, 1, 1]}
    labels = np.array([0, 1, 1, 2, 1])
    rows = {who: np.eye(3, dtype=np.float32)[[0, *said]] for who, said in names.items()}
    known = {who: Predictions(row, np.zeros(5, np.float32), labels) for who, row in rows.items()}
    dataset = dataclasses.replace(
        digits_inputs.dataset, train=ImageSet(np.zeros((5, 1, 8, 8), np.uint8), labels), class_names=("a", "b", "c")
    )
    splits = dataclasses.replace(digits_inputs.splits, forget_classes=(0,))
    subject = EvaluationSubject(
        None, dataset, splits, digits_inputs.original, original_known={"validation": known["mask"]}
    ).with_predictions({"validation": known["model"]})
    values = Mask().compute(subject, "validation")
    mask, model = np.array([1, 1, 1, 0]), np.array([0, 1, 0, 1])  # right on which of 1, 1, 2, 1
    assert values["mask_drop"] == pytest.approx((mask - model).mean())
    assert values["mask_drop_error"] == pytest.approx((mask - model).std() / 2)


def test_a_mask_keeps_most_and_hides_nothing_from_a_probe():
    config, inputs = digits_config(), digits_inputs()
    original, mask = (measure(inputs, config).values for measure in (evaluate_original, evaluate_mask))
    assert mask["validation/forget_accuracy"] == mask["test/forget_accuracy"] == 0
    assert mask["validation/retain_accuracy"] >= original["validation/retain_accuracy"]
    assert (mask["validation/mask_drop"], mask["validation/mask_drop_error"]) == (0, 0)
    assert mask["validation/probe_left"] == original["validation/probe_left"] == 1
    assert all(np.isfinite(value) for value in mask.values())
    untrained = evaluate_untrained(inputs, config).values
    assert untrained["validation/probe_left"] == 0
    assert untrained["validation/retain_accuracy"] < 0.4
    assert set(untrained) == set(mask) == set(original)
