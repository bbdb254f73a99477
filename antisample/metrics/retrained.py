"""Nearness to the retrained reference: the network as it would be had it never seen the forget set."""

from typing import ClassVar

import numpy as np

from antisample.errors import ConfigError
from antisample.metrics.base import EvaluationSettings, EvaluationSubject, RetrainedReference
from antisample.metrics.classification import summarise
from antisample.metrics.membership import Membership, membership_inference
from antisample.metrics.zrf import js_divergence
from antisample.types import Dataset, SplitName, Splits


class Retrained:
    """Gap, ToW, distance and agreement, against a retrained reference that the user may or may not have.

    Attributes:
        names: `retrained_gap`, the mean absolute difference of forget and retain accuracy on training images, retain
            accuracy on the part, and the accuracy of membership inference by loss (Fan et al., ICLR 2024); `tow`, the
            product of one minus each difference of the three accuracies (Zhao et al., NeurIPS 2024);
            `forget_js_distance` and `retain_js_distance`, the mean square root of the Jensen-Shannon divergence in
            bits; `forget_agreement` and `retain_agreement`, the share of images that both give the same class.
        parts: Validation and test.
    """

    names: ClassVar[tuple[str, ...]] = (
        "retrained_gap",
        "tow",
        "forget_js_distance",
        "retain_js_distance",
        "forget_agreement",
        "retain_agreement",
    )
    parts: ClassVar[tuple[SplitName, ...]] = ("validation", "test")
    needs_reference: ClassVar[bool] = True

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`; the gap includes membership inference."""
        return Membership().problems(dataset, splits)

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`.

        Raises:
            ConfigError: If there is no reference.
        """
        if subject.reference is None:
            raise ConfigError("The metrics `retrained` need a retrained reference, but the subject has none.")
        classes, seed = subject.splits.forget_classes, subject.settings.seed
        ours, theirs = subject.predictions, subject.reference.predictions.__getitem__
        accuracies, attacks = [], []
        for answers in (ours, theirs):
            seen, unseen = answers("train"), answers(part)
            train, held_out = summarise(seen, classes), summarise(unseen, classes)
            accuracies.append([train["forget_accuracy"], train["retain_accuracy"], held_out["retain_accuracy"]])
            attacks.append(membership_inference(seen, unseen, classes, seed)["mia_loss"])
        differences = np.abs(np.subtract(accuracies[0], accuracies[1]))
        values = {
            "retrained_gap": float(np.mean([*differences, abs(attacks[0] - attacks[1])])),
            "tow": float(np.prod(1 - differences)),
        }
        own, other = ours(part), theirs(part)
        distance = np.sqrt(js_divergence(own.probabilities, other.probabilities))
        agrees = own.probabilities.argmax(axis=1) == other.probabilities.argmax(axis=1)
        forget = own.forget_mask(classes)
        for kind, mask in (("forget", forget), ("retain", ~forget)):
            values[f"{kind}_js_distance"] = float(distance[mask].mean())
            values[f"{kind}_agreement"] = float(agrees[mask].mean())
        return values


def reference_values(
    reference: RetrainedReference | None, splits: Splits, settings: EvaluationSettings
) -> dict[str, float]:
    """The reference's own figures, `<part>/<metric>`: accuracies, confidence, losses and membership inference.

    Args:
        reference: None gives nothing.
        splits: That it was trained for.
        settings: Seed of membership inference.
    """
    values: dict[str, float] = {}
    for part, answers in (reference.predictions if reference is not None else {}).items():
        measured = summarise(answers, splits.forget_classes)
        if reference is not None and part in Membership.parts:
            seen = reference.predictions["train"]
            measured |= membership_inference(seen, answers, splits.forget_classes, settings.seed)
        values |= {f"{part}/{name}": value for name, value in measured.items()}
    return values
