"""Which trial of the front is chosen, by validation metrics alone."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from tuning.records import TrialRecord

if TYPE_CHECKING:
    from tuning.config import StudyConfig

GAP = "validation/retrained_gap"
MIA = "validation/mia_loss"


class SelectionConfig(BaseModel):
    """Which trial of the front is chosen: high retain accuracy among those that forget well enough; see `choose`.

    Attributes:
        max_forget_accuracy: Validation forget accuracy that counts as forgotten where classes are, in [0, 1].
        max_forget_gap: Distance of the forget accuracy to that on unseen images that counts as forgotten where
            samples are, in [0, 1]; so does one that is within two standard errors of none.
        by: `rule`, which needs no retrained reference, or `oracle`, the smallest gap to it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_forget_accuracy: float = Field(default=0.01, ge=0, le=1)
    max_forget_gap: float = Field(default=0.02, ge=0, le=1)
    by: Literal["rule", "oracle"] = "rule"


def choose(
    front: list[TrialRecord], config: "StudyConfig", original: dict[str, float]
) -> tuple[TrialRecord | None, str]:
    """Takes one trial of the front by validation metrics alone.

    Among trials that forget well enough, those within one standard error of the highest retain accuracy are taken as
    equals, and the one that forgets most of them is chosen: taking the highest figure would pick the luckiest trial
    nearest to the limit. Where several forget the same number of images, the lowest confidence counts, to a percent,
    and then the membership inference nearest to chance. If none forgets well enough, the one that forgets most.

    Where samples are to be forgotten, "most" means: nearest to how the model does on unseen images, by accuracy and
    then by loss. A few samples tell little: no retain accuracy is given away for a gap that chance explains.

    Args:
        front: Trials that no other dominates.
        config: Its selection rule is read.
        original: Metrics of the original model.

    Returns:
        The trial, None for an empty front, and the rule in words.
    """
    if not front:
        limits = " and ".join(map(str, config.constraints))
        return None, f"No finished trial keeps {limits}." if limits else "No trial has finished."
    retain = "validation/retain_accuracy"
    if config.by_samples:
        forget, limit = "validation/forget_gap", config.selection.max_forget_gap
        within = f"a forget accuracy within {100 * limit:.1f} points or two standard errors of that on unseen images"
    else:
        forget, limit = "validation/forget_accuracy", config.selection.max_forget_accuracy
        within = f"a validation forget accuracy of at most {limit:.1%}"
    enough = [r for r in front if r.metrics[forget] <= max(limit, 2 * _gap_error(r) if config.by_samples else 0.0)]
    if enough:
        best = max(enough, key=lambda r: r.metrics[retain])
        error = _standard_error(best, retain)
        equals = [record for record in enough if record.metrics[retain] >= best.metrics[retain] - error]
        chosen = min(
            equals,
            key=lambda r: (
                r.metrics[forget],
                round(_left(r.metrics, config), 2),
                abs(r.metrics.get(MIA, 0.5) - 0.5),
                -r.metrics[retain],
                r.number,
            ),
        )
        drop = 100 * (original.get(retain, 0.0) - chosen.metrics[retain])
        if len(enough) == 1:
            reason = f"the only front trial with {within}"
        elif len(equals) == 1:
            reason = f"the highest validation retain accuracy among the {len(enough)} front trials with {within}"
        else:
            reason = (
                f"the one that forgets most among the {len(equals)} front trials within one standard error "
                f"({100 * error:.1f} points) of the highest validation retain accuracy with {within}"
            )
        return chosen, f"{reason}; it loses {drop:.1f} points of retain accuracy"
    chosen = min(front, key=lambda r: (r.metrics[forget], -r.metrics[retain], _left(r.metrics, config), r.number))
    return chosen, f"no front trial has {within}; this one forgets most"


def _left(metrics: Mapping[str, float], config: "StudyConfig") -> float:
    """What is left of what was to be forgotten, finer than accuracy: the smaller, the better."""
    if config.by_samples:
        return abs(metrics["validation/forget_loss"] - metrics["validation/retain_loss"])
    return metrics["validation/forget_confidence"]


def choose_oracle(front: list[TrialRecord]) -> TrialRecord | None:
    """The trial of the front nearest to the retrained reference, which a user who needs unlearning does not have.

    Returns:
        The trial; None where the gap was not computed.
    """
    known = [record for record in front if GAP in record.metrics]
    return min(known, key=lambda record: (record.metrics[GAP], record.number), default=None)


def _gap_error(record: TrialRecord) -> float:
    """Standard error of the forget gap if samples were like unseen images; 0 where their numbers are unknown."""
    accuracy = record.metrics["validation/retain_accuracy"]
    numbers = [record.counts.get(f"validation/{kind}", 0) for kind in ("forget", "retain")]
    return math.sqrt(accuracy * (1 - accuracy) * sum(1 / n for n in numbers)) if all(numbers) else 0.0


def _standard_error(record: TrialRecord, metric: str) -> float:
    """Of an accuracy, as binomial: from the images behind it; 0 where their number is unknown."""
    n = record.counts.get(metric.removesuffix("_accuracy"), 0)
    accuracy = record.metrics[metric]
    return math.sqrt(accuracy * (1 - accuracy) / n) if n else 0.0
