"""Which trial of the front is chosen, by validation metrics alone."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tuning.config.objectives import RETAIN
from tuning.trials import depth
from tuning.trials.choice import Choice
from tuning.trials.limits import Limits
from tuning.trials.records import TrialRecord

if TYPE_CHECKING:
    from tuning.config.study import StudyConfig

GAP = "validation/retrained_gap"
MIA = "validation/mia_loss"


def choose(front: list[TrialRecord], config: "StudyConfig", original: dict[str, float]) -> Choice:
    """Takes one trial of the front by validation metrics alone.

    Among trials that forget well enough and lose no more than `max_loss`, those within one standard error of the
    highest retain accuracy are taken as equals, and the one that forgets most of them is chosen: taking the highest
    figure would pick the luckiest trial nearest to the limit. Where several forget the same number of images, the
    lowest confidence counts, to a percent, and then the membership inference nearest to chance.

    If no trial does both, the one that forgets most is chosen, as long as it loses no more than `max_loss`.
    Otherwise none qualifies: a network that was destroyed has forgotten, too.

    Where the study searches for depth, too, `choose_by_depth` takes one instead.

    Where samples are to be forgotten, "most" means: nearest to how the model does on unseen images, by accuracy and
    then by loss. A few samples tell little: no retain accuracy is given away for a gap that chance explains.

    Args:
        front: Trials that no other dominates.
        config: Its selection rule is read.
        original: Metrics of the original model.

    Returns:
        The choice.
    """
    if not front:
        return _nothing(config)
    limits = Limits(config.selection, original, by_samples=config.by_samples)
    if depth.is_judged_by_depth(config):
        return depth.choose_by_depth(front, limits, config)
    enough = [record for record in front if limits.forgets(record)]
    kept = [record for record in enough if limits.keeps(record)]
    if kept:
        also = f" and a loss of at most {limits.most_lost}" if len(kept) < len(enough) else ""
        return _best_of(kept, f"{limits.forgotten}{also}", limits, config)
    most = min(front, key=lambda r: (limits.left(r), -r.metrics[RETAIN], _left(r.metrics, config), r.number))
    if not limits.keeps(most):
        which = f"every trial on the front with {limits.forgotten}"
        if not enough:
            which = f"no trial on the front has {limits.forgotten}, and the one that forgets most"
        return limits.none(which, min(front, key=lambda r: (limits.shortfall(r), limits.left(r), r.number)))
    return Choice(most, None, f"no trial on the front has {limits.forgotten}; this one forgets most")


def choose_oracle(front: list[TrialRecord], config: "StudyConfig", original: dict[str, float]) -> Choice:
    """Takes the trial nearest to the retrained reference, which a user who needs unlearning does not have.

    Args:
        front: Trials that no other dominates.
        config: Its limit of what may be lost is read.
        original: Metrics of the original model.

    Returns:
        The choice. No trial is chosen, and none is nearest, where the gap was not computed.
    """
    measured = sorted((r for r in front if GAP in r.metrics), key=lambda r: (r.metrics[GAP], r.number))
    if not measured:
        return _nothing(config) if not front else Choice(None, None, "No trial has a gap to the retrained reference.")
    limits = Limits(config.selection, original, by_samples=config.by_samples)
    for record in measured:
        if limits.keeps(record):
            points = f"{100 * record.metrics[GAP]:.1f} percentage points"
            return Choice(record, None, f"the smallest gap to the retrained reference, {points} (oracle)")
    return limits.none("every trial on the front", min(measured, key=lambda r: (limits.loss(r), r.number)))


def _nothing(config: "StudyConfig") -> Choice:
    limits = " and ".join(map(str, config.constraints))
    return Choice(None, None, f"No finished trial satisfies {limits}." if limits else "No trial has finished.")


def _best_of(kept: list[TrialRecord], what: str, limits: Limits, config: "StudyConfig") -> Choice:
    best = max(kept, key=lambda r: r.metrics[RETAIN])
    error = _standard_error(best, RETAIN)
    equals = [record for record in kept if record.metrics[RETAIN] >= best.metrics[RETAIN] - error]
    chosen = min(
        equals,
        key=lambda r: (
            limits.left(r),
            round(_left(r.metrics, config), 2),
            abs(r.metrics.get(MIA, 0.5) - 0.5),
            -r.metrics[RETAIN],
            r.number,
        ),
    )
    if len(kept) == 1:
        reason = f"the only trial on the front with {what}"
    elif len(equals) == 1:
        reason = f"the highest validation retain accuracy of the {len(kept)} trials on the front with {what}"
    else:
        reason = (
            f"the trial that forgets most of the {len(equals)} on the front within one standard error "
            f"({100 * error:.1f} percentage points) of the highest validation retain accuracy with {what}"
        )
    loss = limits.loss(chosen)
    compared = (
        f"{100 * abs(loss):.1f} percentage points {'below' if loss >= 0 else 'above'} that of the original model"
    )
    return Choice(chosen, None, f"{reason}; its retain accuracy is {compared}")


def figures_of_a_choice(config: "StudyConfig") -> tuple[str, ...]:
    """Metrics without which a trial cannot be compared with others."""
    finer = ("forget_loss", "retain_loss") if config.by_samples else ("forget_confidence",)
    deeper = depth.FIGURES if depth.is_judged_by_depth(config) else ()
    return ("validation/forget_accuracy", RETAIN, *(f"validation/{name}" for name in finer), *deeper)


def _left(metrics: Mapping[str, float], config: "StudyConfig") -> float:
    """What is left of what was to be forgotten, finer than accuracy: the smaller, the better."""
    if config.by_samples:
        return abs(metrics["validation/forget_loss"] - metrics["validation/retain_loss"])
    return metrics["validation/forget_confidence"]


def _standard_error(record: TrialRecord, metric: str) -> float:
    """Of an accuracy, as binomial: from the images behind it; 0 where their number is unknown."""
    n = record.counts.get(metric.removesuffix("_accuracy"), 0)
    accuracy = record.metrics[metric]
    return math.sqrt(accuracy * (1 - accuracy) / n) if n else 0.0
