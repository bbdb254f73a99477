"""Similarity of representations, stage by stage: linear CKA (Kornblith et al., ICML 2019)."""

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from torch import nn

from antisample.errors import ConfigError
from antisample.metrics.base import EvaluationSubject, StageFeatures, even_positions, part_positions
from antisample.metrics.logistic_probe import Features
from antisample.metrics.stage_features import features_by_stage
from antisample.types import Dataset, ImageSet, IndexArray, SplitName, Splits

MOST_IMAGES = 1000
_PARTS: tuple[SplitName, ...] = ("validation", "test")


class Similarity:
    """Similarity to the original model.

    Attributes:
        names: `cka_original_forget` and `cka_original_retain`, the mean over the stages of the CKA on forget and on
            retain images; `cka_original_forget_last` and `cka_original_retain_last`, that of the last stage.
        parts: Validation and test.
    """

    names: ClassVar[tuple[str, ...]] = (
        "cka_original_forget",
        "cka_original_retain",
        "cka_original_forget_last",
        "cka_original_retain_last",
    )
    parts: ClassVar[tuple[SplitName, ...]] = _PARTS
    needs_stages: ClassVar[bool] = True

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`."""
        del dataset, splits
        return []

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`."""
        known = subject.original_features
        if part in known:
            theirs = known[part]
        else:
            original = subject.original.build(subject.dataset, subject.device)
            theirs = similarity_features(subject, original, part)
        return _figures("original", _own(subject, part), theirs)


class ReferenceSimilarity:
    """Similarity to the retrained reference.

    Attributes:
        names: As those of `Similarity`, with `reference` in the place of `original`.
        parts: Validation and test.
    """

    names: ClassVar[tuple[str, ...]] = tuple(name.replace("original", "reference") for name in Similarity.names)
    parts: ClassVar[tuple[SplitName, ...]] = _PARTS
    needs_stages: ClassVar[bool] = True
    needs_reference: ClassVar[bool] = True

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`."""
        del dataset, splits
        return []

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`.

        Raises:
            ConfigError: If there is no reference, or its features are not known.
        """
        if subject.reference is None or part not in subject.reference.features:
            raise ConfigError("The metrics `reference_similarity` need the features of a retrained reference.")
        return _figures("reference", _own(subject, part), subject.reference.features[part])


def similarity_features(subject: EvaluationSubject, model: nn.Module, part: SplitName) -> StageFeatures:
    """The pooled outputs of each stage of a network of the subject's architecture, on images of a part.

    Of forget and of retain images, at most 1,000 each are taken, evenly spaced.

    Raises:
        DivergedError: If they are not finite.
        ConfigError: If the network has no stages.
    """
    stages = subject.original.stage_names(subject.dataset)

    def features(images: ImageSet, positions: IndexArray) -> tuple[Features, ...]:
        return features_by_stage(subject, model, stages, images, even_positions(positions, MOST_IMAGES))

    images, positions = part_positions(subject.dataset, subject.splits, part, subject.settings.max_train_images)
    retain = positions
    if not subject.splits.by_samples:
        retain = positions[~np.isin(images.labels[positions], subject.splits.forget_classes)]
    return StageFeatures(features(*subject.forget_positions(part)), features(images, retain))


def known_features(subject: EvaluationSubject) -> dict[SplitName, StageFeatures]:
    """The features of the subject's own network, for every part that similarity is defined on."""
    return {part: similarity_features(subject, subject.model, part) for part in _PARTS}


def linear_cka(first: Features, second: Features) -> float:
    """How similar two representations of the same images are, whatever rotation or scale lies between them.

    Args:
        first: [n, d].
        second: [n, e].

    Returns:
        |Y'X|^2 / (|X'X| |Y'Y|) of the centred features, in Frobenius norms: a value in [0, 1]; 0 where either is the
        same for all images.
    """
    x, y = (_scaled(features) for features in (first, second))
    of_both, of_x, of_y = (float(np.linalg.norm(a.T @ b)) for a, b in ((y, x), (x, x), (y, y)))
    return min(1.0, of_both**2 / (of_x * of_y)) if of_x and of_y else 0.0


def _scaled(features: Features) -> npt.NDArray[np.float64]:
    """Centred, and divided by the largest entry, so that no square overflows or vanishes."""
    values = features.astype(np.float64)
    largest = np.abs(values).max()
    centred = values - values.mean(axis=0)
    if np.abs(centred).max() <= 1e-6 * largest:  # what float32 cannot tell apart
        return np.zeros_like(values)
    return np.asarray(centred / np.abs(centred).max())


def _own(subject: EvaluationSubject, part: SplitName) -> StageFeatures:
    return subject.once(f"similarity {part}", lambda: similarity_features(subject, subject.model, part))


def _figures(other: str, ours: StageFeatures, theirs: StageFeatures) -> dict[str, float]:
    figures = {}
    for kind, pairs in (("forget", (ours.forget, theirs.forget)), ("retain", (ours.retain, theirs.retain))):
        similarities = [linear_cka(own, their) for own, their in zip(*pairs, strict=True)]
        figures[f"cka_{other}_{kind}"] = float(np.mean(similarities))
        figures[f"cka_{other}_{kind}_last"] = similarities[-1]
    return figures
