"""MIA efficacy: the membership figure that papers print. It is not an accuracy, and 0.5 is not its ideal."""

from typing import ClassVar

import numpy as np

from antisample.metrics.base import EvaluationSubject
from antisample.models.predictions import Predictions
from antisample.seeds import numpy_stream
from antisample.types import Dataset, SplitName, Splits

MOST_IMAGES = 1000


class MiaEfficacy:
    """The share of forget training images that an attacker takes for images that were not trained on.

    As in the code of SalUn (Fan et al., ICLR 2024), after Jia et al. (NeurIPS 2023): a support vector machine (RBF,
    C = 3, gamma 1) on the probability of the true class, fitted on retain training images as members and on unseen
    images as non-members. They are those of the part, where the original code takes the test images for everything.
    """

    names: ClassVar[tuple[str, ...]] = ("mia_efficacy",)
    parts: ClassVar[tuple[SplitName, ...]] = ("validation", "test")

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`."""
        del dataset, splits
        return []

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`."""
        efficacy = mia_efficacy(
            subject.predictions("train"),
            subject.predictions(part),
            subject.splits.forget_classes,
            subject.settings.seed,
        )
        return {"mia_efficacy": efficacy}


def mia_efficacy(seen: Predictions, unseen: Predictions, forget_classes: tuple[int, ...], seed: int) -> float:
    """Fits the attacker, and asks about the forget images.

    Args:
        seen: Predictions on training images, forget and retain.
        unseen: Predictions on images that no model was trained on; those of forgotten classes are not used.
        forget_classes: Which labels are forgotten.
        seed: Of the draws: as many members as non-members, and at most 1,000 of these and of the forget images.

    Returns:
        A share in [0, 1].
    """
    from sklearn.svm import SVC  # noqa: PLC0415  (a second that epochs need not wait for)

    rng = numpy_stream(seed, "mia efficacy")
    forgotten = seen.forget_mask(forget_classes)
    sides = [seen.confidence()[~forgotten], unseen.confidence()[~unseen.forget_mask(forget_classes)]]
    size = min(MOST_IMAGES, *map(len, sides))
    members, others = (side[rng.permutation(len(side))[:size]] for side in sides)
    forget = seen.confidence()[forgotten]
    asked = forget[rng.permutation(len(forget))[:MOST_IMAGES]]
    attacker = SVC(C=3, gamma="auto", kernel="rbf")
    attacker.fit(np.concatenate([members, others])[:, None].astype(np.float64), np.repeat([1, 0], size))
    return float((attacker.predict(asked[:, None].astype(np.float64)) == 0).mean())
