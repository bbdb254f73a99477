"""What the study says of a trial, as plain values, and the table of all trials as Parquet."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from optuna.trial import FrozenTrial, TrialState

from antisample.storage.atomic import whole_file
from tuning.trials.attribute_types import check_attributes

STEP_PREFIX = "report."
INTERRUPTED, NOT_TRIED = "Interrupted", "Not tried"
"""How the errors of trials begin that did not fail by themselves: ended from outside, or refused before they ran."""
BY_HAND, ENQUEUED = "added by hand", "enqueued"
"""Origins of trials that others put into a study: with their end, or to be run."""
_ENDED_BY_HAND = f"{INTERRUPTED}: it was ended by hand."


@dataclass(frozen=True)
class StepRecord:
    """One epoch of a trial.

    Attributes:
        step: The epoch, from 1, counted over all replicates.
        replicate: Which replicate it belongs to, from 0.
        timestamp_ms: When it was reported, milliseconds since 1970.
        elapsed_s: Seconds of unlearning so far.
        evaluation_s: Seconds of evaluation so far.
        train_loss: Mean training loss of the epoch.
        metrics: By public name.
        last: Whether it ends its replicate.
        worker: Host and process that did it; empty in studies from before this was kept.
    """

    step: int
    replicate: int
    timestamp_ms: int
    elapsed_s: float
    evaluation_s: float
    train_loss: float
    metrics: dict[str, float]
    last: bool = False
    worker: str = ""


@dataclass(frozen=True)
class TrialRecord:
    """One trial.

    Attributes:
        number: From 0, in the order of suggestion.
        state: RUNNING, COMPLETE, PRUNED or FAIL; WAITING where a search that was stopped has begun it.
        origin: `sampler`, `defaults`, or `published NAME`; `enqueued` or `added by hand` where others put it into the
            study; `, retry of N` follows where trial N was interrupted.
        params: Searched parameters.
        seeds: One seed a replicate.
        values: One value an objective; None unless COMPLETE.
        metrics: Final metrics by name, means over the replicates; empty unless COMPLETE.
        spread: Standard deviations over the replicates; empty with a single one.
        counts: Images behind the metrics, by `<part>/forget` and `<part>/retain`.
        steps: One record an epoch.
        duration_s: Seconds of unlearning and evaluation, as far as the trial came.
        started_ms: When it was suggested, milliseconds since 1970.
        finished_ms: When it ended, likewise; None until then.
        worker: Host and process that ran it.
        versions: Of the program, torch and Python.
        error: Why it failed.
        partial: Means as far as it came, by metric name; empty unless PRUNED.
        partial_error: Standard errors of these means; empty for a single replicate.
        batch_halvings: How often its batch was halved since the GPU ran out of memory.
        retries: How often a worker of it died.
    """

    number: int
    state: str
    origin: str
    params: dict[str, Any]
    seeds: tuple[int, ...]
    values: tuple[float, ...] | None
    metrics: dict[str, float]
    spread: dict[str, float]
    counts: dict[str, int]
    steps: tuple[StepRecord, ...]
    duration_s: float
    started_ms: int
    finished_ms: int | None
    worker: str | None
    versions: dict[str, str]
    error: str | None
    partial: dict[str, float]
    partial_error: dict[str, float]
    batch_halvings: int = 0
    retries: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is to come of it."""
        return self.state not in ("RUNNING", "WAITING")

    @property
    def fidelity(self) -> int:
        """Epochs done, over all replicates."""
        return self.steps[-1].step if self.steps else 0

    @property
    def figures(self) -> dict[str, float]:
        """Final metrics, or those of a stopped trial as far as it came, for showing; never for choosing."""
        return self.metrics or self.partial

    @property
    def unlearning_s(self) -> float:
        """Seconds of one unlearning, the mean over the replicates; 0 before the first report."""
        return self.steps[-1].elapsed_s / (self.steps[-1].replicate + 1) if self.steps else 0.0

    @property
    def is_starting_point(self) -> bool:
        """Whether it was given, not suggested by a sampler."""
        return self.origin.startswith(("published", "defaults"))


def step_attribute(step: int) -> str:
    """Name of the trial attribute that holds the report of a step."""
    return f"{STEP_PREFIX}{step:05d}"


def to_record(trial: FrozenTrial) -> TrialRecord:
    """Reads a trial that the search made what it is.

    Raises:
        ValueError: If an attribute holds what no search writes there.
    """
    attributes = trial.user_attrs
    check_attributes(attributes, STEP_PREFIX)
    if str(attributes.get("error", "")).startswith(NOT_TRIED):
        return _bare_record(trial, refused=True)
    steps = tuple(StepRecord(**value) for key, value in sorted(attributes.items()) if key.startswith(STEP_PREFIX))
    started = trial.datetime_start
    finished = trial.datetime_complete
    return TrialRecord(
        number=trial.number,
        state=trial.state.name,
        origin=attributes.get("origin") or (ENQUEUED if "fixed_params" in trial.system_attrs else "sampler"),
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
        partial=attributes.get("partial", {}).get("metrics", {}),
        partial_error=attributes.get("partial", {}).get("standard_error", {}),
        batch_halvings=attributes.get("batch_halvings", 0),
        retries=attributes.get("retries", 0),
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


def by_hand_in_words(added: Sequence[TrialRecord]) -> str | None:
    """What becomes of trials that others added with their end; None if there are none."""
    if not added:
        return None
    numbers = ", ".join(str(record.number) for record in added)
    taught = [str(r.number) for r in added if r.state == "COMPLETE" and r.error is None]
    who = f"Trial {numbers} was" if len(added) == 1 else f"Trials {numbers} were"
    learns = f"the sampler learns from {', '.join(taught)}" if taught else "the sampler does not learn from them"
    if len(added) == 1:
        learns = "the sampler learns from it" if taught else "the sampler does not learn from it"
    return f"{who} added by hand: not counted, and never on the front; {learns}."


def _bare_record(trial: FrozenTrial, *, refused: bool) -> TrialRecord:
    """A trial without anything of a run."""
    attributes, started, finished = trial.user_attrs, trial.datetime_start, trial.datetime_complete
    ended_ms = _milliseconds(finished)
    return TrialRecord(
        number=trial.number,
        state=trial.state.name,
        origin=str(attributes.get("origin")) if refused else BY_HAND,
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
    )


def _milliseconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp() * 1000) if moment is not None else None


def write_table(records: list[TrialRecord], path: Path) -> None:
    """Writes trials.parquet: a row a trial, in one step.

    Columns: number, state, origin, seeds, fidelity, duration_s, batch_halvings, error, `params.NAME`, `metrics.NAME`,
    and `spread.NAME` where trials have several replicates, `partial.NAME` where trials were stopped early. Where a
    trial lacks a metric the cell is null, never a number. A parameter whose values have no common type that Parquet
    knows is written as text.

    Args:
        records: Trials that have ended. Metrics of one that was added by hand are what others say they are.
        path: Where to.
    """
    names = list(dict.fromkeys(name for record in records for name in record.params))
    metrics = sorted({name for record in records for name in record.metrics})
    columns: dict[str, Any] = {
        "number": pa.array([r.number for r in records], pa.int64()),
        "state": pa.array([r.state for r in records], pa.string()),
        "origin": pa.array([_text(r.origin) for r in records], pa.string()),
        "seeds": pa.array([list(r.seeds) for r in records], pa.list_(pa.int64())),
        "fidelity": pa.array([r.fidelity for r in records], pa.int64()),
        "duration_s": pa.array([r.duration_s for r in records], pa.float64()),
        "batch_halvings": pa.array([r.batch_halvings for r in records], pa.int64()),
        "error": pa.array([None if r.error is None else _text(r.error) for r in records], pa.string()),
    }
    columns |= {f"params.{_text(name)}": _column([r.params.get(name) for r in records]) for name in names}
    columns |= {
        f"spread.{name}": pa.array([r.spread.get(name) for r in records], pa.float64())
        for name in metrics
        if any(r.spread for r in records)
    }
    partial = sorted({name for record in records for name in record.partial})
    columns |= {f"partial.{name}": pa.array([r.partial.get(name) for r in records], pa.float64()) for name in partial}
    columns |= {f"metrics.{name}": pa.array([r.metrics.get(name) for r in records], pa.float64()) for name in metrics}
    with whole_file(path) as unfinished:
        pq.write_table(pa.table(columns), unfinished)


def _column(values: list[Any]) -> pa.Array:
    """The values of a parameter; as text where they are of several kinds, or larger than 64 bits."""
    kinds = {type(value) for value in values if value is not None}
    if str not in kinds and (len(kinds) == 1 or kinds == {int, float}):
        with suppress(pa.ArrowException, OverflowError):
            return pa.array(values, pa.float64() if float in kinds else None)
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    """A value as text that is valid Unicode."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "backslashreplace").decode()
