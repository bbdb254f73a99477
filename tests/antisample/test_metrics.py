import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from antisample.errors import DivergedError
from antisample.metrics import EvaluationConfig, Predictions, evaluate, metric_names, part_positions, summarise
from antisample.types import Dataset, ImageSet, Preprocessing, Splits


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
    return Lookup(logits), data, splits, Preprocessing((0.0,), (1 / 255,))


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_metrics_of_a_hand_computed_case(part):
    model, data, splits, preprocessing = hand_case()
    metrics = evaluate(model, data, splits, part, preprocessing, EvaluationConfig(batch_size=3))
    # Forget images are given their class with 3/4 and 1/4; retain images theirs with 1/4 and 3/4.
    mean_loss = -(np.log(0.75) + np.log(0.25)) / 2
    expected = {
        "forget_accuracy": 0.5,
        "retain_accuracy": 0.5,
        "forget_confidence": 0.5,
        "forget_loss": mean_loss,
        "retain_loss": mean_loss,
    }
    assert metrics.values == pytest.approx({f"{part}/{name}": value for name, value in expected.items()}, rel=1e-6)
    assert metrics.counts == {f"{part}/forget": 2, f"{part}/retain": 2}


def test_confidence_tells_apart_what_accuracy_does_not():
    labels = np.array([0, 0, 1])
    sure = Predictions(np.array([[0.49, 0.51], [0.4, 0.6], [0, 1]], np.float32), np.zeros(3, np.float32), labels)
    unsure = Predictions(np.array([[0.01, 0.99], [0.0, 1.0], [0, 1]], np.float32), np.zeros(3, np.float32), labels)
    (first, _), (second, _) = summarise(sure, (0,)), summarise(unsure, (0,))
    assert first["forget_accuracy"] == second["forget_accuracy"] == 0
    assert first["forget_confidence"] == pytest.approx(0.445)
    assert second["forget_confidence"] == pytest.approx(0.005)


def test_several_forget_classes_count_by_their_own_class():
    labels = np.array([0, 1, 2])
    table = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]], np.float32)
    values, counts = summarise(Predictions(table, np.zeros(3, np.float32), labels), (0, 1))
    assert values["forget_accuracy"] == 0.5
    assert values["forget_confidence"] == pytest.approx(0.5)
    assert counts == {"forget": 2, "retain": 1}


def test_outputs_that_are_not_finite_are_an_error_not_a_value():
    model, data, splits, preprocessing = hand_case()
    model.table[0, 0] = float("nan")
    with pytest.raises(DivergedError, match=r"validation/forget_confidence is nan"):
        evaluate(model, data, splits, "validation", preprocessing)


def test_evaluation_restores_the_mode_of_the_model():
    model, data, splits, preprocessing = hand_case()
    for training in (True, False):
        model.train(training)
        evaluate(model, data, splits, "test", preprocessing)
        assert model.training is training


def test_a_limit_on_train_images_spreads_over_the_retain_set_and_keeps_all_forget_images():
    _, data, splits, _ = hand_case()
    many = dataclasses.replace(splits, retain=np.arange(1000, 2000))
    _, positions = part_positions(data, many, "train", 5)
    assert positions.tolist() == [0, 1, 1000, 1249, 1499, 1749, 1999]


def test_names_are_those_that_evaluate_gives():
    model, data, splits, preprocessing = hand_case()
    given = [
        name
        for part in ("validation", "train", "test")
        for name in evaluate(model, data, splits, part, preprocessing).values
    ]
    assert tuple(given) == metric_names()
