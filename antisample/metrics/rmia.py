"""RMIA (Zarifzadeh et al., ICML 2024): membership inference for samples that uses retrained references."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from antisample.errors import ConfigError
from antisample.metrics.base import EvaluationSubject
from antisample.models.predictions import Predictions
from antisample.seeds import numpy_stream
from antisample.types import Dataset, IndexArray, SplitName, Splits

GAMMA = 2.0
OFFLINE_A = 0.3
MOST_FALSE_POSITIVES = 0.01
MOST_POPULATION = 2000
_FEWEST = 10

Floats = npt.NDArray[np.float64]


class Rmia:
    """How well an attacker with the references tells samples to forget from unseen images.

    Attributes:
        names: `rmia_auc`, the area under the curve of true over false positives, 0.5 where nothing can be told;
            `rmia_tpr`, the share of samples that are found at 1 % false positives or fewer, 0.01 where nothing can be
            told.
        parts: Validation and test.
    """

    names: ClassVar[tuple[str, ...]] = ("rmia_auc", "rmia_tpr")
    parts: ClassVar[tuple[SplitName, ...]] = ("validation", "test")
    needs_reference: ClassVar[bool] = True

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`."""
        if not splits.by_samples:
            return [
                "RMIA is defined for samples: a reference that never saw a class gives its images a probability of "
                "0, so the ratio that RMIA compares is 0/0"
            ]
        problems = []
        forget = np.bincount(dataset.train.labels[splits.forget], minlength=dataset.n_classes)
        for what, labels in (
            ("validation", dataset.split(splits.validation_from).labels[splits.validation]),
            ("test", dataset.test.labels[splits.test]),
        ):
            halves = np.bincount(labels, minlength=dataset.n_classes) // 2
            count = int(np.minimum(forget, halves).sum())
            if count < _FEWEST:
                problems.append(
                    f"RMIA needs at least {_FEWEST} samples to forget with twice as many {what} images of their "
                    f"classes, but got {count}"
                )
        return problems

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`.

        Raises:
            ConfigError: If there is no reference.
        """
        if not subject.references:
            raise ConfigError("The metrics `rmia` need a retrained reference, but the subject has none.")
        return rmia(
            subject.predictions(part),
            [reference.predictions[part] for reference in subject.references],
            subject.settings.seed,
        )


def rmia(target: Predictions, references: Sequence[Predictions], seed: int) -> dict[str, float]:
    """Attacks a model with members (samples to forget) and as many unseen images of each class.

    Args:
        target: The model's predictions on the samples to forget and on unseen images.
        references: Those of networks that were trained on neither, on the same images.
        seed: Which unseen images are compared, and which are the population.

    Returns:
        `rmia_auc` and `rmia_tpr`.
    """
    from sklearn.metrics import roc_auc_score, roc_curve  # noqa: PLC0415  (a second that epochs need not wait for)

    members, others, population = _sides(target, seed)
    ratios = ratio_to_references(target.confidence(), [reference.confidence() for reference in references])
    compared = np.concatenate([members, others])
    scores = scores_of(ratios[compared], ratios[population])
    truth = np.repeat([1, 0], [len(members), len(others)])
    false_positives, true_positives, _ = roc_curve(truth, scores, drop_intermediate=False)
    return {
        "rmia_auc": float(roc_auc_score(truth, scores)),
        "rmia_tpr": float(true_positives[false_positives <= MOST_FALSE_POSITIVES].max()),
    }


def ratio_to_references(
    confidence: npt.NDArray[np.float32], of_references: Sequence[Floats | npt.NDArray[np.float32]]
) -> Floats:
    """How much more probable the model finds each image's class than networks in general do.

    Args:
        confidence: Probability of the true class, [n].
        of_references: That of each reference, which was not trained on these images, [n].

    Returns:
        The probability over ((1 + a) p + 1 - a) / 2, the offline estimate of its mean over networks, half of which
        were trained on the image; p is the references' mean, a is 0.3.
    """
    untrained = np.mean([each.astype(np.float64) for each in of_references], axis=0)
    return np.asarray(confidence.astype(np.float64) / (((1 + OFFLINE_A) * untrained + 1 - OFFLINE_A) / 2))


def scores_of(ratios: Floats, population: Floats) -> Floats:
    """For each image, the share of the population whose ratio it exceeds at least twice: [n], in [0, 1]."""
    ascending = np.sort(population)
    return np.searchsorted(ascending, ratios / GAMMA, side="right") / len(ascending)


def _sides(target: Predictions, seed: int) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Positions of members, of as many other images of each class, and of the population, none of them twice.

    Unseen images of each class are halved: one half may be compared, the other is of the population.
    """
    rng = numpy_stream(seed, "rmia")
    forgotten = target.forget_mask(())
    members, others, population = [], [], []
    for label in np.unique(target.labels):
        seen = rng.permutation(np.flatnonzero(forgotten & (target.labels == label)))
        unseen = rng.permutation(np.flatnonzero(~forgotten & (target.labels == label)))
        half = len(unseen) // 2
        count = min(len(seen), half)
        members.append(seen[:count])
        others.append(unseen[:count])
        population.append(unseen[half:])
    everywhere = rng.permutation(np.concatenate(population))[:MOST_POPULATION]
    return np.concatenate(members), np.concatenate(others), everywhere
