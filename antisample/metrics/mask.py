"""The mask: the original model that can no longer answer with the forgotten classes. It is free, and keeps most.

What a method keeps is held against it: whoever keeps less than a mask has paid for what he has forgotten.
"""

from typing import ClassVar

import numpy as np

from antisample.metrics.base import EvaluationSubject
from antisample.models.predictions import Predictions
from antisample.types import Dataset, SplitName, Splits

MASKED_LOSS = 1e4
"""Cross-entropy of an image whose class can no longer be answered, in nats."""


class Mask:
    """Retain accuracy that a model has lost against the mask of the original, and how sure that is.

    Attributes:
        names: `mask_drop`, the mask's retain accuracy minus the model's, in [-1, 1]; `mask_drop_error`, the standard
            error of this difference, from the retain images that one of the two recognises and the other does not
            (as in McNemar's test).
        parts: Validation, which decides.
    """

    names: ClassVar[tuple[str, ...]] = ("mask_drop", "mask_drop_error")
    parts: ClassVar[tuple[SplitName, ...]] = ("validation",)

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`."""
        del dataset
        return ["A mask is defined for forgotten classes"] if splits.by_samples else []

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`."""
        classes = subject.splits.forget_classes
        own = subject.predictions(part)
        retain = ~own.forget_mask(classes)
        masks = masked(subject.original_predictions(part), subject.splits.gone_classes).correct()[retain]
        difference = masks.astype(np.float64) - own.correct()[retain]
        return {
            "mask_drop": float(difference.mean()),
            "mask_drop_error": float(difference.std() / np.sqrt(len(difference))),
        }


def masked(predictions: Predictions, forget_classes: tuple[int, ...]) -> Predictions:
    """What the mask of a model says: its probabilities without those of the forgotten classes.

    Args:
        predictions: Of the model.
        forget_classes: Labels that can no longer be answered; not all of them.

    Returns:
        Predictions of the same images: forgotten classes have probability 0, and no loss exceeds `MASKED_LOSS`.
    """
    probabilities = predictions.probabilities.astype(np.float64)
    probabilities[:, forget_classes] = 0
    left = probabilities.sum(axis=1, keepdims=True)
    kept = np.ones(probabilities.shape[1])
    kept[list(forget_classes)] = 0
    probabilities = np.where(left > 0, probabilities / np.where(left > 0, left, 1), kept / kept.sum())
    own = np.take_along_axis(probabilities, predictions.labels[:, None], axis=1).squeeze(1)
    with np.errstate(divide="ignore"):
        losses = np.minimum(-np.log(own), MASKED_LOSS)
    return Predictions(
        probabilities.astype(np.float32), losses.astype(np.float32), predictions.labels, predictions.forget
    )
