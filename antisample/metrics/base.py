"""What a metric family is, and what it is told about the model it measures."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer
from torch import nn

from antisample.data.loader import Normaliser
from antisample.metrics.logistic_probe import Features
from antisample.metrics.probe_anchors import ProbeAnchors
from antisample.models.original import OriginalModel
from antisample.models.predictions import Predictions, predict
from antisample.types import Dataset, ImageSet, IndexArray, SplitName, Splits
from antisample.validation.settings import Settings

EVAL_BATCH_SIZE = 500
_T = TypeVar("_T")


class EvaluationSettings(Settings):
    """How metrics are computed, whichever they are.

    Attributes:
        batch_size: Images per forward pass; by default 500 on CPUs and, on GPUs, 2,000 of 32 x 32 pixels or fewer
            larger ones.
        max_train_images: Largest number of retain training images to evaluate, evenly spaced; `null` means all. The
            validation and test splits are always evaluated completely.
        relearn_max_epochs: Largest number of epochs for measuring the relearn time.
        reference_seeds: Number of retrained references, where a family of `final` compares with them. With two or
            more, the outcome has their distance to each other beside every distance to the first of them.
        seed: Seed of the random draws of metrics: subsets, splits, random networks.
    """

    batch_size: int | None = Field(default=None, ge=1)
    max_train_images: int | None = Field(default=10_000, ge=1)
    relearn_max_epochs: int = Field(default=10, ge=1)
    reference_seeds: int = Field(default=1, ge=1, le=4)
    seed: int = Field(default=0, ge=0)

    @model_serializer(mode="wrap")
    def _as_studies_hold_it(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves `reference_seeds` out where it is 1: results are found by a digest of the configuration."""
        return {name: value for name, value in handler(self).items() if name != "reference_seeds" or value != 1}


@dataclass(frozen=True)
class StageFeatures:
    """The pooled outputs of a network's stages on images of a part: one float32 [n, d] per stage.

    Attributes:
        forget: On forget images.
        retain: On retain images.
    """

    forget: tuple[Features, ...]
    retain: tuple[Features, ...]


@dataclass(frozen=True)
class RetrainedReference:
    """What is known of a network that was trained without the forget set.

    Attributes:
        predictions: Its predictions for each part, on the images that every other model is evaluated on.
        elapsed_s: Seconds its training took.
        seed: Seed of its training.
        features: The outputs of its stages for parts, where a metric compares them.
    """

    predictions: Mapping[SplitName, Predictions]
    elapsed_s: float
    seed: int
    features: Mapping[SplitName, StageFeatures] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class EvaluationSubject:
    """A model under evaluation. Predictions are computed once for each part, however many metrics need them.

    Attributes:
        model: Maps normalised images to logits; its device is where metrics compute.
        dataset: The data.
        splits: What belongs to which part.
        original: The model as it was; tells architecture and preprocessing.
        settings: How to compute.
        reference: The retrained reference, where there is one.
        original_known: What the original says of parts, where it has been asked before.
        probe: What the probe says of the original and of an untrained network, where that is measured before.
        other_references: Further references, of other seeds.
        original_features: The outputs of the original's stages for parts, where they are computed before.
        masked_classes: Labels that are masked in its known predictions, where it stands for a mask.
    """

    model: nn.Module
    dataset: Dataset
    splits: Splits
    original: OriginalModel
    settings: EvaluationSettings = field(default_factory=EvaluationSettings)
    reference: RetrainedReference | None = None
    original_known: Mapping[SplitName, Predictions] = field(default_factory=dict, compare=False, repr=False)
    probe: ProbeAnchors | None = None
    other_references: tuple[RetrainedReference, ...] = ()
    original_features: Mapping[SplitName, StageFeatures] = field(default_factory=dict, compare=False, repr=False)
    masked_classes: tuple[int, ...] = ()
    _known: dict[SplitName, Predictions] = field(default_factory=dict, compare=False, repr=False)
    _shared: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @property
    def references(self) -> tuple[RetrainedReference, ...]:
        """All retrained references."""
        return (self.reference, *self.other_references) if self.reference is not None else ()

    @property
    def eval_batch_size(self) -> int:
        """Images a forward pass: as set, or as many as keep the device busy."""
        if self.settings.batch_size is not None:
            return self.settings.batch_size
        if self.device.type == "cpu":
            return EVAL_BATCH_SIZE
        height, width = (int(size) for size in self.dataset.train.images.shape[2:])
        return min(2000, max(128, 2000 * 32 * 32 // (height * width)))

    def normaliser(self) -> Normaliser:
        """Maps uint8 images on the device to the model's input."""
        return Normaliser(self.original.preprocessing, self.device)

    def predictions(self, part: SplitName) -> Predictions:
        """The model's predictions on the forget and retain images of a part."""
        if part not in self._known:
            self._known[part] = self.predictions_of(self.model, part)
        return self._known[part]

    def original_predictions(self, part: SplitName) -> Predictions:
        """The original's predictions on the forget and retain images of a part."""
        if part in self.original_known:
            return self.original_known[part]
        return self.predictions_of(self.original.build(self.dataset, self.device), part)

    def with_predictions(self, predictions: Mapping[SplitName, Predictions]) -> "EvaluationSubject":
        """The same model, whose predictions were made before."""
        return replace(self, _known=dict(predictions))

    def once(self, key: str, compute: Callable[[], _T]) -> _T:
        """What does not depend on the part: computed for the first one, and kept for the others."""
        if key not in self._shared:
            self._shared[key] = compute()
        return self._shared[key]  # type: ignore[no-any-return]

    def forget_positions(self, part: SplitName) -> tuple[ImageSet, IndexArray]:
        """The images of a part, and the positions of those to forget; samples to forget are training images."""
        if self.splits.by_samples:
            return self.dataset.train, self.splits.forget
        images, positions = part_positions(self.dataset, self.splits, part, self.settings.max_train_images)
        return images, positions[np.isin(images.labels[positions], self.splits.forget_classes)]

    def predictions_of(self, model: nn.Module, part: SplitName) -> Predictions:
        """Another model's predictions on the same images.

        Where samples are to be forgotten, every part holds them, and behind them its other images.
        """
        images, positions = part_positions(self.dataset, self.splits, part, self.settings.max_train_images)
        if not self.splits.by_samples:
            return self._predict(model, images, positions)
        forget = self._predict(model, self.dataset.train, self.splits.forget)
        others = positions[len(self.splits.forget) :] if part == "train" else positions
        return Predictions.of_samples(forget, self._predict(model, images, others))

    def _predict(self, model: nn.Module, images: ImageSet, positions: IndexArray) -> Predictions:
        return predict(model, images, positions, self.normaliser(), self.device, self.eval_batch_size)


class MetricFamily(Protocol):
    """A plug-in: one file in this folder and one line in the registry.

    A family may also have `needs_stages = True`, if it reads the stages of the network, and `needs_reference = True`,
    if it compares with a retrained reference, which is then trained.

    Attributes:
        names: The metrics it computes, without the part.
        parts: The parts of the data it is defined on.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """See above."""
        ...

    @property
    def parts(self) -> tuple[SplitName, ...]:
        """See above."""
        ...

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """Says why it cannot be computed on this data, one sentence each, without its full stop; empty if it can."""
        ...

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """Measures.

        Args:
            subject: The model, left as it is.
            part: `validation` for every decision, `train` and `test` for reporting.

        Returns:
            A value for each of `names`.
        """
        ...


def part_positions(
    dataset: Dataset, splits: Splits, part: SplitName, max_train_images: int | None
) -> tuple[ImageSet, IndexArray]:
    """The images of a part, and their positions; in `train` those to forget come first."""
    if part == "validation":
        return dataset.split(splits.validation_from), splits.validation
    if part == "test":
        return dataset.test, splits.test
    retain = splits.retain if max_train_images is None else even_positions(splits.retain, max_train_images)
    forget = splits.forget[np.isin(dataset.train.labels[splits.forget], splits.forget_classes)]  # and no copies
    return dataset.train, np.concatenate([forget, retain])


def even_positions(positions: IndexArray, most: int) -> IndexArray:
    """All positions, or `most` of them, evenly spaced, if there are more."""
    if len(positions) <= most:
        return positions
    return positions[np.linspace(0, len(positions) - 1, most).astype(np.int64)]


def image_counts(
    dataset: Dataset, splits: Splits, settings: EvaluationSettings, parts: Iterable[SplitName]
) -> dict[str, int]:
    """How many images the figures of each part stand on, by `<part>/forget` and `<part>/retain`."""
    counts: dict[str, int] = {}
    for part in parts:
        images, positions = part_positions(dataset, splits, part, settings.max_train_images)
        forget = int(np.isin(images.labels[positions], splits.forget_classes).sum())
        retain = len(positions) - forget
        if splits.by_samples:
            forget, retain = len(splits.forget), len(positions) - (len(splits.forget) if part == "train" else 0)
        counts |= {f"{part}/forget": forget, f"{part}/retain": retain}
    return counts
