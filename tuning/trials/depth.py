"""The choice where depth is an objective: what forgets, keeps nearly as much as a mask, and leaves least to read."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tuning.config.objectives import DEPTH, RETAIN
from tuning.trials.choice import Choice
from tuning.trials.limits import Limits
from tuning.trials.records import TrialRecord

if TYPE_CHECKING:
    from tuning.config.study import StudyConfig

DEPTH_ERROR = "validation/probe_error"
DROP = "validation/mask_drop"
DROP_ERROR = "validation/mask_drop_error"
FIGURES = (DEPTH, DEPTH_ERROR, DROP, DROP_ERROR)
"""What such a choice stands on, beside accuracies."""

_SURE = 2
"""Standard errors that a difference must have to be one."""


def is_judged_by_depth(config: "StudyConfig") -> bool:
    """Whether the study searches for depth, too."""
    return any(objective.metric == DEPTH for objective in config.objectives)


def choose_by_depth(front: Sequence[TrialRecord], limits: Limits, config: "StudyConfig") -> Choice:
    """Takes the trial that leaves least to read among those that forget and keep nearly as much as a mask.

    Nearly as much: at most `selection.max_retain_drop` and one paired standard error less. Trials within a standard
    error of the lowest `probe_left` are taken as equals, and the one that keeps most of them is chosen. Where none is
    in reach, it is the one that keeps most among those that forget, as long as it loses no more than
    `selection.max_loss`.

    Args:
        front: At least one trial; all keep the constraints.
        limits: On what a trial must forget and may lose.
        config: Its selection rule is read.

    Returns:
        The choice.
    """
    forget = [record for record in front if limits.forgets(record)]
    if not forget:
        least = min(front, key=lambda r: (limits.left(r), -r.metrics[RETAIN], r.number))
        if limits.keeps(least):
            return Choice(least, None, f"no trial on the front has {limits.forgotten}; this one forgets most")
        which = f"no trial on the front has {limits.forgotten}, and the one that forgets most"
        return limits.none(which, min(front, key=lambda r: (limits.shortfall(r), limits.left(r), r.number)))
    most = config.selection.max_retain_drop
    near = [record for record in forget if is_near(record, config)]
    if not near:
        kept = [record for record in forget if limits.keeps(record)]
        if not kept:
            which = f"every trial on the front with {limits.forgotten}"
            return limits.none(which, min(forget, key=lambda r: (limits.shortfall(r), limits.left(r), r.number)))
        best = max(kept, key=lambda r: (r.metrics[RETAIN], -r.metrics[DEPTH], -r.number))
        reason = (
            f"the highest validation retain accuracy of the trials on the front with {limits.forgotten}; none of "
            f"them comes within {_points(most)} of a mask, which keeps {_points(best.metrics[DROP])} more than this "
            "one"
        )
        return Choice(best, None, f"{reason}; {_left(best.metrics)}")
    deepest = min(near, key=lambda r: (r.metrics[DEPTH], r.number))
    limit = deepest.metrics[DEPTH] + deepest.metrics[DEPTH_ERROR]
    equals = [record for record in near if record.metrics[DEPTH] <= limit]
    chosen = max(equals, key=lambda r: (r.metrics[RETAIN], -r.metrics[DEPTH], -r.number))
    what = f"{limits.forgotten} and a retain accuracy within {_points(most)} of a mask's"
    if len(near) == 1:
        reason = f"the only trial on the front with {what}"
    elif len(equals) == 1:
        reason = f"the deepest of the {len(near)} trials on the front with {what}"
    else:
        reason = f"the one that keeps most of the {len(equals)} deepest, which are equally deep, with {what}"
    drop = chosen.metrics[DROP]
    compared = f"{_points(abs(drop))} {'below' if drop >= 0 else 'above'} the mask's"
    return Choice(chosen, None, f"{reason}; {_left(chosen.metrics)}, and its retain accuracy is {compared}")


def is_near(record: TrialRecord, config: "StudyConfig") -> bool:
    """Whether a trial keeps nearly as much as a mask: within `selection.max_retain_drop` and a standard error."""
    return record.metrics[DROP] <= config.selection.max_retain_drop + record.metrics[DROP_ERROR]


def verdict(metrics: Mapping[str, float], references: Sequence[float] = ()) -> str | None:
    """What is to be said of how deeply a model has forgotten; None where nothing stands out.

    Args:
        metrics: Of the model.
        references: `probe_left` of retrained references.
    """
    if DEPTH not in metrics:
        return None
    left, error = metrics[DEPTH], metrics.get(DEPTH_ERROR, 0.0)
    if left > 1 - _SURE * error:
        return "no deeper than a mask"
    if references and left < min(references) - _SURE * error:
        return "over-forgotten: less is left than in networks that never saw the class"
    return None


def _left(metrics: Mapping[str, float]) -> str:
    text = f"`probe_left` {metrics[DEPTH]:.2f} (1 for a mask, 0 for an untrained network)"
    remark = verdict(metrics)
    return f"{text}, {remark}" if remark is not None else text


def _points(share: float) -> str:
    return f"{100 * share:.1f} percentage points"
