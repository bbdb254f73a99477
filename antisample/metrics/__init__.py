"""Metrics of a model on one part of the data. docs/metrics.md defines each."""

import math

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from antisample.errors import DivergedError
from antisample.loader import Normaliser
from antisample.metrics.classification import Predictions, predict, summarise
from antisample.types import Dataset, ImageSet, IndexArray, PartName, Preprocessing, Splits, UnlearnMetrics

_CLASSIFICATION = ("forget_accuracy", "retain_accuracy", "forget_confidence", "forget_loss", "retain_loss")


class EvaluationConfig(BaseModel):
    """How metrics are computed.

    Attributes:
        batch_size: Images a forward pass.
        max_train_images: At most this many retain training images, evenly spaced, are evaluated; None means all.
            Validation and test are always evaluated whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int = Field(default=500, ge=1)
    max_train_images: int | None = Field(default=10_000, ge=1)


def metric_names() -> tuple[str, ...]:
    """All metric names that `evaluate` gives, `<part>/<metric>`."""
    return tuple(f"{part}/{name}" for part in ("validation", "train", "test") for name in _CLASSIFICATION)


def evaluate(
    model: nn.Module,
    dataset: Dataset,
    splits: Splits,
    part: PartName,
    preprocessing: Preprocessing,
    config: EvaluationConfig | None = None,
) -> UnlearnMetrics:
    """Evaluates a model on the forget and retain images of one part.

    Args:
        model: Maps normalised images to logits; its device is where this computes.
        dataset: The data.
        splits: What belongs to which part.
        part: `validation` for every decision, `train` and `test` for reporting.
        preprocessing: What the model expects of its input.
        config: Batch size and limits.

    Returns:
        Values by `<part>/<metric>` and image counts by `<part>/forget` and `<part>/retain`.

    Raises:
        DivergedError: If a value is not finite.
    """
    config = config or EvaluationConfig()
    device = next(model.parameters()).device
    images, positions = part_positions(dataset, splits, part, config.max_train_images)
    predictions = predict(model, images, positions, Normaliser(preprocessing, device), device, config.batch_size)
    values, counts = summarise(predictions, splits.forget_classes)
    bad = [f"{part}/{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise DivergedError(f"The model's outputs are not finite: {', '.join(bad)}.")
    return UnlearnMetrics(
        {f"{part}/{name}": value for name, value in values.items()},
        {f"{part}/{name}": count for name, count in counts.items()},
    )


def part_positions(
    dataset: Dataset, splits: Splits, part: PartName, max_train_images: int | None
) -> tuple[ImageSet, IndexArray]:
    """The images of a part, and their positions."""
    if part == "validation":
        return (dataset.train if splits.validation_from == "train" else dataset.test), splits.validation
    if part == "test":
        return dataset.test, splits.test
    retain = splits.retain
    if max_train_images is not None and len(retain) > max_train_images:
        retain = retain[np.linspace(0, len(retain) - 1, max_train_images).astype(np.int64)]
    return dataset.train, np.concatenate([splits.forget, retain])


__all__ = [
    "EvaluationConfig",
    "Predictions",
    "evaluate",
    "metric_names",
    "part_positions",
    "predict",
    "summarise",
]
