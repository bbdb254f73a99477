"""Membership inference: can an attacker tell images the model was trained on from images it never saw?

For class forgetting both sides are images of the forgotten classes: members from the training split, non-members
from validation or test, and of several classes as many of each. Compared with retain images, or with another mix of
classes, the attack would find the class, not the membership. For samples, likewise, members are the samples to
forget, and non-members unseen images, of each class as many.
"""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from antisample.metrics.base import EvaluationSubject
from antisample.models.predictions import Predictions
from antisample.seeds import derive, numpy_stream
from antisample.types import Dataset, IndexArray, SplitName, Splits

_SPLITS = 10
_FEWEST = 10
_MOST = 2000


class Membership:
    """Accuracy of two attacks: logistic regression on the loss, a support vector machine on the confidence.

    0.5 is ideal: members look like non-members. Sources: Kurmanji et al. (NeurIPS 2023) for the loss with
    stratified shuffle splits, Jia et al. (NeurIPS 2023) and Fan et al. (ICLR 2024) for the SVC on confidence.
    """

    names: ClassVar[tuple[str, ...]] = ("mia_loss", "mia_confidence")
    parts: ClassVar[tuple[SplitName, ...]] = ("validation", "test")

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`."""
        if splits.by_samples:
            return _too_few_samples(dataset, splits)
        problems = []
        unseen = dataset.split(splits.validation_from)
        members = _of_each_class(dataset.train.labels[splits.forget], splits.forget_classes)
        for what, labels in (
            ("training", dataset.train.labels[splits.forget]),
            ("validation", unseen.labels[splits.validation]),
            ("test", dataset.test.labels[splits.test]),
        ):
            count = int(np.minimum(members, _of_each_class(labels, splits.forget_classes)).sum())
            if count < _FEWEST:
                problems.append(
                    f"Membership inference needs at least {_FEWEST} {what} images to forget, but got {count}"
                )
        return problems

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`."""
        return membership_inference(
            subject.predictions("train"),
            subject.predictions(part),
            subject.splits.forget_classes,
            subject.settings.seed,
        )


def membership_inference(
    seen: Predictions, unseen: Predictions, forget_classes: tuple[int, ...], seed: int
) -> dict[str, float]:
    """Attacks with members and non-members of the forgotten classes.

    Args:
        seen: Predictions on training images.
        unseen: Predictions on images that no model was trained on.
        forget_classes: Which labels count.
        seed: Seed of the subsets and splits.

    Returns:
        `mia_loss` and `mia_confidence`, see `attack_accuracy`.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  (a second that epochs need not wait for)
    from sklearn.svm import SVC  # noqa: PLC0415

    member: npt.NDArray[Any] = seen.forget_mask(forget_classes)
    other: npt.NDArray[Any] = unseen.forget_mask(forget_classes)
    if unseen.forget is not None or len(forget_classes) > 1:
        member, other = _as_many_of_each_class(seen, unseen, forget_classes, seed)
    return {
        "mia_loss": attack_accuracy(LogisticRegression(), seen.losses[member], unseen.losses[other], seed),
        "mia_confidence": attack_accuracy(
            SVC(C=3, gamma="auto", kernel="rbf"), seen.confidence()[member], unseen.confidence()[other], seed
        ),
    }


def _as_many_of_each_class(
    seen: Predictions, unseen: Predictions, classes: tuple[int, ...], seed: int
) -> tuple[IndexArray, IndexArray]:
    """Positions of members and of others, drawn so that both sides have as many images of each class."""
    rng = numpy_stream(seed, "membership classes")
    forgotten = seen.forget_mask(classes)
    # Where samples are to be forgotten, they stand among the unseen images, too.
    allowed = ~unseen.forget_mask(classes) if unseen.forget is not None else unseen.forget_mask(classes)
    sides: tuple[list[IndexArray], list[IndexArray]] = ([], [])
    for label in classes:
        members = np.flatnonzero(forgotten & (seen.labels == label))
        others = np.flatnonzero(allowed & (unseen.labels == label))
        count = min(len(members), len(others))
        for side, positions in zip(sides, (members, others), strict=True):
            side.append(rng.permutation(positions)[:count])
    return np.concatenate(sides[0]), np.concatenate(sides[1])


def _of_each_class(labels: IndexArray, classes: tuple[int, ...]) -> IndexArray:
    """How many of the labels are of each class."""
    return np.array([(labels == label).sum() for label in classes])


def _too_few_samples(dataset: Dataset, splits: Splits) -> list[str]:
    """Why samples cannot be told from unseen images of the same classes; see `Membership.problems`."""
    unseen = dataset.split(splits.validation_from)
    forget = np.bincount(dataset.train.labels[splits.forget], minlength=dataset.n_classes)
    problems = []
    for what, labels in (
        ("validation", unseen.labels[splits.validation]),
        ("test", dataset.test.labels[splits.test]),
    ):
        count = int(np.minimum(forget, np.bincount(labels, minlength=dataset.n_classes)).sum())
        if count < _FEWEST:
            problems.append(
                f"Membership inference needs at least {_FEWEST} samples to forget with as many {what} images of "
                f"their classes, but got {count}"
            )
    return problems


def attack_accuracy(
    classifier: Any, members: npt.NDArray[np.float32], others: npt.NDArray[np.float32], seed: int
) -> float:
    """Accuracy of telling members from others by one number an image, on images the attacker was not fitted to.

    Both sides are cut to the same size, at most 2,000, so that guessing scores 0.5; the number is standardised; the
    accuracy is the mean over 10 stratified shuffle splits that each hold a tenth out.

    Args:
        classifier: An unfitted scikit-learn classifier.
        members: One number for each image of the training set, [n].
        others: One number for each unseen image, [m].
        seed: Seed of subsets and splits.

    Returns:
        A value in [0, 1].
    """
    from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    size = min(len(members), len(others), _MOST)
    rng = numpy_stream(seed, "membership")
    drawn = [values[rng.permutation(len(values))[:size]] for values in (members, others)]
    features = np.concatenate(drawn)[:, None].astype(np.float64)
    truth = np.repeat([1, 0], size)
    splits = StratifiedShuffleSplit(_SPLITS, test_size=0.1, random_state=derive(seed, "membership splits") % 2**32)
    scores = cross_val_score(make_pipeline(StandardScaler(), classifier), features, truth, cv=splits)
    return float(scores.mean())
