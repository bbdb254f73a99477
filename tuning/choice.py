"""Which trial of the front is chosen, by validation metrics alone."""

import math

from tuning.config import StudyConfig
from tuning.records import TrialRecord

GAP = "validation/retrained_gap"
MIA = "validation/mia_loss"


def choose(
    front: list[TrialRecord], config: StudyConfig, original: dict[str, float]
) -> tuple[TrialRecord | None, str]:
    """Takes one trial of the front by validation metrics alone.

    Among trials that forget well enough, those within one standard error of the highest retain accuracy are taken as
    equals, and the one that forgets most of them is chosen: taking the highest figure would pick the luckiest trial
    nearest to the limit. Where several forget the same number of images, the lowest confidence counts, to a percent,
    and then the membership inference nearest to chance. If none forgets well enough, the one that forgets most.

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
    limit = config.selection.max_forget_accuracy
    forget, retain, confidence = (
        f"validation/{name}" for name in ("forget_accuracy", "retain_accuracy", "forget_confidence")
    )
    enough = [record for record in front if record.metrics[forget] <= limit]
    if enough:
        best = max(enough, key=lambda r: r.metrics[retain])
        error = _standard_error(best, retain)
        equals = [record for record in enough if record.metrics[retain] >= best.metrics[retain] - error]
        chosen = min(
            equals,
            key=lambda r: (
                r.metrics[forget],
                round(r.metrics[confidence], 2),
                abs(r.metrics.get(MIA, 0.5) - 0.5),
                -r.metrics[retain],
                r.number,
            ),
        )
        drop = 100 * (original.get(retain, 0.0) - chosen.metrics[retain])
        within = f"a validation forget accuracy of at most {limit:.1%}"
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
    chosen = min(front, key=lambda r: (r.metrics[forget], -r.metrics[retain], r.metrics[confidence], r.number))
    return (
        chosen,
        f"no front trial has a validation forget accuracy of at most {limit:.1%}; this one forgets most",
    )


def choose_oracle(front: list[TrialRecord]) -> TrialRecord | None:
    """The trial of the front nearest to the retrained reference, which a user who needs unlearning does not have.

    Returns:
        The trial; None where the gap was not computed.
    """
    known = [record for record in front if GAP in record.metrics]
    return min(known, key=lambda record: (record.metrics[GAP], record.number), default=None)


def _standard_error(record: TrialRecord, metric: str) -> float:
    """Of an accuracy, as binomial: from the images behind it; 0 where their number is unknown."""
    n = record.counts.get(metric.removesuffix("_accuracy"), 0)
    accuracy = record.metrics[metric]
    return math.sqrt(accuracy * (1 - accuracy) / n) if n else 0.0
