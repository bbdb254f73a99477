"""Trials of Optuna, read as records: those that the search made what they are, and those that others added."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from tuning.trials.attribute_types import check_attributes
from tuning.trials.failures import FailureKind, failure_kind, interrupted
from tuning.trials.origins import BY_HAND, ENQUEUED, SAMPLER, Origin
from tuning.trials.records import STEP_PREFIX, EpochRecord, TrialRecord

_ENDED_BY_HAND = interrupted("it was ended by hand.")


def to_record(trial: FrozenTrial) -> TrialRecord:
    """Reads a trial that the search made what it is.

    Raises:
        ValueError: If an attribute holds what no search writes there.
    """
    attributes = trial.user_attrs
    check_attributes(attributes, STEP_PREFIX)
    if failure_kind(attributes) is FailureKind.REFUSED:
        return _bare_record(trial, refused=True)
    steps = tuple(EpochRecord(**value) for key, value in sorted(attributes.items()) if key.startswith(STEP_PREFIX))
    # What a trial had at a rung says nothing any more once it has come to its end, or failed.
    partial = attributes.get("partial", {}) if trial.state not in (TrialState.COMPLETE, TrialState.FAIL) else {}
    started = trial.datetime_start
    finished = trial.datetime_complete
    return TrialRecord(
        number=trial.number,
        state=trial.state.name,
        origin=Origin(attributes.get("origin") or (ENQUEUED if "fixed_params" in trial.system_attrs else SAMPLER)),
        params=dict(trial.params),
        seeds=tuple(attributes.get("seeds", ())),
        values=tuple(trial.values) if trial.values else None,
        metrics=attributes.get("metrics", {}),
        spread=attributes.get("spread", {}),
        counts=attributes.get("counts", {}),
        steps=steps,
        duration_s=steps[-1].elapsed_s + steps[-1].evaluation_s if steps else 0.0,
        started_ms=attributes.get("started_ms") or (int(started.timestamp() * 1000) if started else 0),
        finished_ms=attributes.get("finished_ms", int(finished.timestamp() * 1000)) if finished else None,
        worker=attributes.get("worker"),
        versions=attributes.get("versions", {}),
        error=attributes.get("error") or (_ENDED_BY_HAND if trial.state == TrialState.FAIL else None),
        partial=partial.get("metrics", {}),
        partial_error=partial.get("standard_error", {}),
        batch_halvings=attributes.get("batch_halvings", 0),
        retries=attributes.get("retries", 0),
        failure=_failure(trial),
        rung=attributes.get("rung"),
    )


def added_record(
    trial: FrozenTrial, params: dict[str, Any], metrics: dict[str, float], reason: str | None, *, begun_here: bool
) -> TrialRecord:
    """Reads a trial that others added with its end, or that the search began and others ended.

    Args:
        trial: Nothing of what it says is trusted but what follows.
        params: Those of its parameters that the study can have.
        metrics: Its values by metric; empty without usable ones.
        reason: Why samplers do not learn from it; None if they do.
        begun_here: Whether the search began it.
    """
    bare = _bare_record(trial, refused=False)
    if begun_here:
        try:
            bare = to_record(trial)
        except (TypeError, ValueError, AttributeError):
            begun_here = False
    return replace(
        bare,
        origin=BY_HAND,
        params=params,
        values=tuple(trial.values) if trial.values else None,
        metrics=metrics,
        error=f"The sampler does not learn from it: {reason}." if reason is not None else None,
    )


def _bare_record(trial: FrozenTrial, *, refused: bool) -> TrialRecord:
    """A trial without anything of a run."""
    attributes, started, finished = trial.user_attrs, trial.datetime_start, trial.datetime_complete
    ended_ms = _milliseconds(finished)
    return TrialRecord(
        number=trial.number,
        state=trial.state.name,
        origin=Origin(attributes.get("origin")) if refused else BY_HAND,
        params={},
        seeds=(),
        values=None,
        metrics={},
        spread={},
        counts={},
        steps=(),
        duration_s=0.0,
        started_ms=attributes.get("started_ms", 0) if refused else _milliseconds(started) or ended_ms or 0,
        finished_ms=attributes.get("finished_ms", ended_ms) if refused else ended_ms,
        worker=None,
        versions={},
        error=attributes.get("error") if refused else None,
        partial={},
        partial_error={},
        failure=FailureKind.REFUSED if refused else None,
    )


def _failure(trial: FrozenTrial) -> FailureKind | None:
    """The kind of a trial's failure; one that others have ended says nothing of why."""
    if trial.state != TrialState.FAIL:
        return None
    return failure_kind(trial.user_attrs) if trial.user_attrs.get("error") else FailureKind.INTERRUPTED


def _milliseconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp() * 1000) if moment is not None else None
