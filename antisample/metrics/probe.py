"""The probe: what a linear classifier still recognises in the outputs of a network's stages.

A mask on the outputs forgets everything that outputs can show, and nothing else. docs/metrics.md defines each figure.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from antisample.metrics.base import EvaluationSubject, part_positions
from antisample.metrics.logistic_probe import Floats, LogisticProbe
from antisample.metrics.probe_anchors import ProbeAnchors
from antisample.metrics.stage_features import stage_features
from antisample.models.original import OriginalModel
from antisample.seeds import derive, numpy_stream, undisturbed
from antisample.types import Dataset, IndexArray, SplitName, Splits

FIT_IMAGES = 500
MOST_ROWS = 20_000
MOST_JUDGED = 2000
FEW = 10
DRAWS = 30
FEWEST_IMAGES = 2 * FEW


class Probe:
    """Multinomial logistic regression on the pooled outputs of all stages (after Alain & Bengio, 2017).

    Attributes:
        names: `probe_forget`, the share of training images of the forgotten classes, none of which it was fitted on,
            that it recognises; `probe_unseen`, of the part's images of these classes; `probe_gap`, their difference;
            `probe_retain`, of the part's other images; `probe_few`, as `probe_forget` with 10 labels per class;
            `probe_left` and `probe_left_worst`, on the scale from an untrained network (0) to the original (1); and
            `probe_error`, the standard error of `probe_left` over draws and images.
        parts: Validation and test.
    """

    names: ClassVar[tuple[str, ...]] = (
        "probe_forget",
        "probe_unseen",
        "probe_gap",
        "probe_retain",
        "probe_few",
        "probe_left",
        "probe_left_worst",
        "probe_error",
    )
    parts: ClassVar[tuple[SplitName, ...]] = ("validation", "test")
    needs_stages: ClassVar[bool] = True

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`."""
        if splits.by_samples:
            return ["The probe is defined for forgotten classes"]
        labels = dataset.train.labels[np.concatenate([splits.forget, splits.retain])]
        counts = np.bincount(labels, minlength=dataset.n_classes)
        counts[list(splits.earlier_classes)] = len(labels)  # these have none, and none are asked for
        fewest = int(counts.argmin())
        if counts[fewest] >= FEWEST_IMAGES:
            return []
        return [
            f"The probe needs at least {FEWEST_IMAGES} training images of each class, but there are "
            f"{counts[fewest]} of {dataset.class_names[fewest]}"
        ]

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`.

        Raises:
            DivergedError: If outputs of a stage are not finite.
            ConfigError: If the network has no stages.
        """
        anchors = subject.probe
        if anchors is None:
            anchors = subject.once("probe anchors", lambda: probe_anchors(subject))
        return subject.once("probe", lambda: FittedProbe.of(subject, subject.model)).figures(subject, part, anchors)


@dataclass(frozen=True)
class ProbeImages:
    """Which training images a probe is fitted to and judged on; the same for every network.

    Attributes:
        fit: Positions in the training split, int64.
        judged: Positions of forget images, none of which is in `fit`.
        draws: Positions in `fit` of the few labels: one row a draw, int64 [30, n].
    """

    fit: IndexArray
    judged: IndexArray
    draws: IndexArray

    @classmethod
    def of(cls, dataset: Dataset, splits: Splits, seed: int) -> "ProbeImages":
        """Draws them from `seed`.

        To fit, as many of each class as of any other: 500, or fewer where all together would be more than 20,000, and
        at most half of any forgotten class, so that the other half is there to judge, at most 2,000 images in all; of
        another class that has fewer images, all of them.
        """
        positions = np.sort(np.concatenate([splits.forget, splits.retain]))
        labels = dataset.train.labels[positions]
        classes = range(dataset.n_classes)
        shuffled = {
            label: numpy_stream(seed, "probe", label).permutation(positions[labels == label]) for label in classes
        }
        halves = [len(shuffled[label]) // 2 for label in splits.forget_classes]
        per_class = max(1, min(FIT_IMAGES, MOST_ROWS // dataset.n_classes, *halves))
        judged_per_class = max(1, MOST_JUDGED // len(splits.forget_classes))
        fit = [shuffled[label][:per_class] for label in classes]
        judged = [shuffled[label][per_class:][:judged_per_class] for label in splits.forget_classes]
        starts = np.cumsum([0, *map(len, fit)])
        draws = [
            np.concatenate(
                [
                    starts[label] + numpy_stream(seed, "probe", "few", draw, label).permutation(len(fit[label]))[:FEW]
                    for label in classes
                ]
            )
            for draw in range(DRAWS)
        ]
        return cls(np.concatenate(fit), np.concatenate(judged), np.stack(draws))


@dataclass(frozen=True)
class FittedProbe:
    """The probe of one network, and what it says of training images; figures of parts need their images, too.

    Attributes:
        model: The network.
        stages: Its stages.
        probe: Fitted to many labels.
        forget: The share of judged images that it recognises.
        few: Whether probes with few labels recognise each judged image, float64 [30, n].
        judged_labels: int64 [n].
    """

    model: nn.Module
    stages: tuple[str, ...]
    probe: LogisticProbe
    forget: float
    few: Floats
    judged_labels: IndexArray

    @classmethod
    def of(cls, subject: EvaluationSubject, model: nn.Module) -> "FittedProbe":
        """Fits the probes of a network of the subject's architecture."""
        dataset = subject.dataset
        stages = subject.original.stage_names(dataset)
        images = ProbeImages.of(dataset, subject.splits, subject.settings.seed)
        labels, judged_labels = dataset.train.labels[images.fit], dataset.train.labels[images.judged]
        features = stage_features(subject, model, stages, dataset.train, images.fit)
        judged = stage_features(subject, model, stages, dataset.train, images.judged)
        with threadpool_limits(1, user_api="blas"):  # more of them wait for each other at sizes like these
            probe = LogisticProbe.fit(features, labels, dataset.n_classes)
            few = [
                LogisticProbe.fit(features[draw], labels[draw], dataset.n_classes).recognised(judged, judged_labels)
                for draw in images.draws
            ]
            forget = float(probe.recognised(judged, judged_labels).mean())
        return cls(model, stages, probe, forget, np.stack(few), judged_labels)

    def by_class(self, subject: EvaluationSubject) -> list[Floats]:
        """For each forgotten class, whether probes with few labels recognise its judged images, [30, n]."""
        return [self.few[:, self.judged_labels == label] for label in subject.splits.forget_classes]

    def few_of(self, forget_classes: tuple[int, ...]) -> tuple[float, ...]:
        """For each forgotten class, the share of its judged images that few labels recognise, over all draws."""
        return tuple(float(self.few[:, self.judged_labels == label].mean()) for label in forget_classes)

    def figures(self, subject: EvaluationSubject, part: SplitName, anchors: ProbeAnchors) -> dict[str, float]:
        """The metrics of a part."""
        images, positions = part_positions(subject.dataset, subject.splits, part, subject.settings.max_train_images)
        labels = images.labels[positions]
        features = stage_features(subject, self.model, self.stages, images, positions)
        recognised = self.probe.recognised(features, labels)
        forget = np.isin(labels, subject.splits.forget_classes)
        unseen = float(recognised[forget].mean())
        few = self.few_of(subject.splits.forget_classes)
        left = anchors.left(few)
        return {
            "probe_forget": self.forget,
            "probe_unseen": unseen,
            "probe_gap": self.forget - unseen,
            "probe_retain": float(recognised[~forget].mean()),
            "probe_few": float(np.mean(few)),
            "probe_left": float(np.mean(left)),
            "probe_left_worst": float(np.max(left)),
            "probe_error": anchors.error([standard_error(each) for each in self.by_class(subject)]),
        }


def probe_anchors(subject: EvaluationSubject) -> ProbeAnchors:
    """Measures the original, and an untrained network whose weights are drawn from the evaluation seed."""
    original, dataset, classes = subject.original, subject.dataset, subject.splits.forget_classes
    untrained = untrained_network(original, dataset, subject.settings.seed, subject.device)
    with undisturbed(subject.device):
        knows = FittedProbe.of(subject, original.build(dataset, subject.device))
    ignorant = FittedProbe.of(subject, untrained)
    differences = knows.few - ignorant.few
    errors = tuple(standard_error(differences[:, knows.judged_labels == label]) for label in classes)
    anchors = ProbeAnchors({}, {}, knows.few_of(classes), ignorant.few_of(classes), errors)

    def figures(probe: FittedProbe) -> dict[str, float]:
        return {
            f"{part}/{name}": value
            for part in Probe.parts
            for name, value in probe.figures(subject, part, anchors).items()
        }

    return replace(anchors, original=figures(knows), untrained=figures(ignorant))


def untrained_network(original: OriginalModel, dataset: Dataset, seed: int, device: torch.device) -> nn.Module:
    """The original's architecture with fresh weights that depend on `seed` alone."""
    with undisturbed(device, derive(seed, "untrained network") % 2**32):
        return original.untrained(dataset).to(device)


def standard_error(differences: Floats) -> float:
    """Of the mean over draws and images, both of which might have been others.

    Args:
        differences: Of two networks, for the same draw and image, float64 [draws, images], two or more of each.

    Returns:
        The root of the variance of the draws' means over their number, plus that of the images' over theirs.
    """
    of_draws, of_images = differences.mean(axis=1), differences.mean(axis=0)
    return float(np.sqrt(of_draws.var(ddof=1) / len(of_draws) + of_images.var(ddof=1) / len(of_images)))
