"""Accuracy, confidence and loss on the forget and retain images of one part of the data."""

from typing import ClassVar

from antisample.metrics.base import EvaluationSubject
from antisample.models.predictions import Predictions
from antisample.types import Dataset, SplitName, Splits


class Classification:
    """The metrics of every epoch: they cost one pass over the part."""

    names: ClassVar[tuple[str, ...]] = (
        "forget_accuracy",
        "retain_accuracy",
        "forget_confidence",
        "forget_loss",
        "retain_loss",
        "forget_gap",
    )
    parts: ClassVar[tuple[SplitName, ...]] = ("validation", "train", "test")

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`."""
        del dataset, splits
        return []

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`."""
        return summarise(subject.predictions(part), subject.splits.forget_classes)


def summarise(predictions: Predictions, forget_classes: tuple[int, ...]) -> dict[str, float]:
    """Means over the forget images and over the retain images.

    Where samples are to be forgotten, retain images are the part's other images: in validation and test, unseen ones.

    Args:
        predictions: At least one image of each kind.
        forget_classes: Which labels count as forget.

    Returns:
        `forget_accuracy`, `retain_accuracy` in [0, 1]; `forget_confidence`, the mean probability that a forget image
        is given its own (forgotten) class, in [0, 1]; `forget_loss`, `retain_loss` in nats; `forget_gap`, the
        distance of the forget accuracy to its aim, in [0, 1]: to 0 for classes, to `retain_accuracy` for samples.
    """
    forget = predictions.forget_mask(forget_classes)
    correct, own = predictions.correct(), predictions.confidence()
    aim = 0.0 if predictions.forget is None else float(correct[~forget].mean())
    return {
        "forget_accuracy": float(correct[forget].mean()),
        "retain_accuracy": float(correct[~forget].mean()),
        "forget_confidence": float(own[forget].mean(dtype="float64")),
        "forget_loss": float(predictions.losses[forget].mean(dtype="float64")),
        "retain_loss": float(predictions.losses[~forget].mean(dtype="float64")),
        "forget_gap": abs(float(correct[forget].mean()) - aim),
    }
