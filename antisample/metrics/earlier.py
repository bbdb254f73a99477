"""Whether what a model has forgotten before is still forgotten, each earlier request by its own upper limit."""

from dataclasses import replace
from typing import ClassVar

import numpy as np

from antisample.metrics.base import EvaluationSubject
from antisample.metrics.mask import masked
from antisample.metrics.probe import FEWEST_IMAGES, FittedProbe
from antisample.models.predictions import predict
from antisample.types import Dataset, EarlierImages, ImageSet, IndexArray, SplitName, Splits

_NOTHING = "The model has not forgotten anything before (`after` names the card of an earlier request)"
_PARTS: tuple[SplitName, ...] = ("validation", "test")


class Earlier:
    """Accuracy on the images of earlier requests that the data still holds.

    Attributes:
        names: `earlier_forget_accuracy`, over all of these images, in [0, 1]: of classes, the part's unseen images;
            of samples, the samples themselves; `earlier_excess`, by how much the accuracy on the images of an earlier
            request exceeds the upper 95 % limit of the accuracy on its card, for the request where this is most, in
            [-1, 1]: at most 0 if all are still forgotten.
        parts: Validation and test.
    """

    names: ClassVar[tuple[str, ...]] = ("earlier_forget_accuracy", "earlier_excess")
    parts: ClassVar[tuple[SplitName, ...]] = _PARTS

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`."""
        if not splits.earlier:
            return [_NOTHING]
        if all(
            any(len(earlier_images(dataset, splits, each, part)[1]) for each in splits.earlier) for part in _PARTS
        ):
            return []
        return ["The data no longer holds the images that were forgotten before"]

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`."""
        right, excesses = [], []
        for each in subject.splits.earlier:
            images, positions = earlier_images(subject.dataset, subject.splits, each, part)
            if not len(positions):
                continue
            size = subject.eval_batch_size
            answers = predict(subject.model, images, positions, subject.normaliser(), subject.device, size)
            if subject.masked_classes:
                answers = masked(answers, subject.masked_classes)
            right.append(answers.correct())
            excesses.append(float(right[-1].mean()) - each.most_accuracy[part])
        return {"earlier_forget_accuracy": float(np.concatenate(right).mean()), "earlier_excess": max(excesses)}


class EarlierProbe:
    """What a probe with few labels recognises of classes that were forgotten before; see `Probe`.

    Attributes:
        names: `earlier_probe`, as `probe_few`, over all classes that were forgotten before and that the data still
            holds, in [0, 1]; `earlier_probe_excess`, as `earlier_excess`.
        parts: Validation and test, where it is the same: probes are judged on training images.
    """

    names: ClassVar[tuple[str, ...]] = ("earlier_probe", "earlier_probe_excess")
    parts: ClassVar[tuple[SplitName, ...]] = _PARTS
    needs_stages: ClassVar[bool] = True

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`."""
        if not splits.earlier:
            return [_NOTHING]
        if any(_probed(dataset, splits, each) for each in splits.earlier):
            return []
        return [
            "The probe of what was forgotten before needs a card with figures of the probe, and at least "
            f"{FEWEST_IMAGES} training images of each class of its request"
        ]

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`.

        Raises:
            DivergedError: If outputs of a stage are not finite.
            ConfigError: If the network has no stages.
        """
        del part
        return subject.once("earlier probe", lambda: _probe_figures(subject))


def earlier_images(
    dataset: Dataset, splits: Splits, earlier: EarlierImages, part: SplitName
) -> tuple[ImageSet, IndexArray]:
    """The images of an earlier request that a part is judged on, and their positions."""
    if len(earlier.samples):
        return dataset.train, earlier.samples
    images, positions = dataset.test, splits.earlier_test
    if part == "validation":
        images, positions = dataset.split(splits.validation_from), splits.earlier_validation
    return images, positions[np.isin(images.labels[positions], earlier.classes)]


def earlier_counts(dataset: Dataset, splits: Splits, part: SplitName) -> int:
    """How many images the figures of what was forgotten before stand on."""
    return sum(len(earlier_images(dataset, splits, each, part)[1]) for each in splits.earlier)


def _probed(dataset: Dataset, splits: Splits, earlier: EarlierImages) -> bool:
    labels = dataset.train.labels[splits.earlier_train]
    return (
        bool(earlier.classes)
        and earlier.most_probe is not None
        and all(int((labels == label).sum()) >= FEWEST_IMAGES for label in earlier.classes)
    )


def _probe_figures(subject: EvaluationSubject) -> dict[str, float]:
    dataset, splits = subject.dataset, subject.splits
    probed = [each for each in splits.earlier if _probed(dataset, splits, each)]
    classes = tuple(sorted({label for each in probed for label in each.classes}))
    held = splits.earlier_train[np.isin(dataset.train.labels[splits.earlier_train], classes)]
    as_if_now = replace(
        splits,
        forget_classes=classes,
        forget=held,
        retain=np.sort(np.concatenate([splits.forget, splits.retain])),
        by_samples=False,
    )
    shares = FittedProbe.of(replace(subject, splits=as_if_now), subject.model).few_of(classes)
    by_class = dict(zip(classes, shares, strict=True))
    excesses = [
        float(np.mean([by_class[label] for label in each.classes])) - each.most_probe
        for each in probed
        if each.most_probe is not None
    ]
    return {"earlier_probe": float(np.mean(shares)), "earlier_probe_excess": max(excesses)}
