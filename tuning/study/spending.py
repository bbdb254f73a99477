"""What a request has cost so far, and what its budget has left: seconds of workers, and of the clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from antisample.errors import ConfigError
from tuning.config.budget import Budget
from tuning.study.attributes import (
    CONFIRMATIONS,
    DRIVES,
    FINALIST_RUNS,
    TIMED_RETRAINING_S,
    Confirmation,
    Drive,
    FinalistRun,
)
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord

_FOREVER = 2**63


@dataclass(frozen=True)
class Spending:
    """What a request has cost so far, evaluation included.

    Attributes:
        trials_s: Worker seconds of all trials and their replicates; also of those that failed, were stopped or run.
        finals_s: Worker seconds of finalists' runs with fresh seeds.
        confirmation_s: Worker seconds of the runs with fresh seeds that confirm the choice.
        wall_s: Seconds of the clock in which drivers worked on it; None in studies from before this was kept.
        retraining_s: Seconds of one retraining; None where that is not known.
        budget: What it may cost; None without a limit.
        stopped_because: Why the search ended before `n_trials`; None if it did not.
    """

    trials_s: float
    finals_s: float
    confirmation_s: float
    wall_s: float | None
    retraining_s: float | None
    budget: Budget | None = None
    stopped_because: str | None = None

    @property
    def total_s(self) -> float:
        """Worker seconds of the whole request."""
        return self.trials_s + self.finals_s + self.confirmation_s

    def retrainings(self, seconds: float | None) -> float | None:
        """Seconds in retrainings; None where either is not known."""
        return seconds / self.retraining_s if seconds is not None and self.retraining_s else None

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        parts = {"trials": self.trials_s, "finals": self.finals_s, "confirmation": self.confirmation_s}
        return {
            "budget": self.budget.plain() if self.budget is not None else None,
            "stopped_because": self.stopped_because,
            "seconds": {**parts, "total": self.total_s},
            "retrainings": {
                name: self.retrainings(seconds) for name, seconds in {**parts, "total": self.total_s}.items()
            },
            "wall_s": self.wall_s,
            "retraining_s": self.retraining_s,
        }


def find_spending(study: StudyReader, retraining_s: float | None) -> Spending:
    """Adds up what a study keeps.

    Args:
        study: The study.
        retraining_s: Seconds of one retraining, if they are known.
    """
    records = {record.number: record for record in study.records()}
    return Spending(
        trials_s=sum(map(_trial_s, records.values())),
        finals_s=sum(_spent_s(study, run, records) for run in study.noted(FINALIST_RUNS, [])),
        confirmation_s=sum(_spent_s(study, run, records) for run in study.noted(CONFIRMATIONS, [])),
        wall_s=_wall_s(_drives(study)) if study.noted(DRIVES) else None,
        retraining_s=retraining_s,
        budget=study.config.budget,
        stopped_because=study.stopped_because(),
    )


@dataclass(frozen=True)
class Account:
    """The budget of a study and what is used of it, in seconds of the budget's kind.

    A budget in retrainings is seconds of workers, one in minutes is seconds of the clock.

    Attributes:
        limit_s: The budget.
        searched_s: What the trials took.
        used_s: What everything took so far.
        confirmed_s: The part of it that confirmed the choice.
        workers: Trials or runs at once, where they share the clock; 1 where each worker's seconds count.
    """

    limit_s: float
    searched_s: float
    used_s: float
    confirmed_s: float
    workers: int = 1

    @classmethod
    def of(cls, study: StudyReader, now_ms: int | None = None) -> "Account | None":
        """The account of a study; None if it has no budget, or the price of a retraining is not known yet.

        Args:
            study: The study.
            now_ms: The time now, where a driver works on it; otherwise its last drive ends with what it did last.
        """
        budget, retraining_s = study.config.budget, study.noted(TIMED_RETRAINING_S)
        if budget is None:
            return None
        spending = find_spending(study, retraining_s)
        if budget.unit == "minutes":
            drives = study.noted(DRIVES, [])
            workers = max(1, drives[-1]["workers"]) if drives else 1
            trials = _trial_activity(study.records())
            return cls(
                60 * budget.amount,
                _wall_s([_ended(drive, trials) for drive in _periods(drives)]),
                _wall_s(_drives(study, now_ms)),
                spending.confirmation_s / workers,
                workers,
            )
        if retraining_s is None:
            return None
        limit_s = budget.amount * retraining_s
        return cls(limit_s, spending.trials_s, spending.total_s, spending.confirmation_s)

    def cost_s(self, runs_s: Sequence[float]) -> float:
        """What runs that each take so many seconds cost."""
        return max(max(runs_s, default=0.0), sum(runs_s) / self.workers)

    def holds(self, used_s: float, runs_s: Sequence[float]) -> bool:
        """Whether runs fit into the budget after so much is used."""
        return used_s + self.cost_s(runs_s) <= self.limit_s


def run_s(study: StudyReader, record: TrialRecord) -> float:
    """About how many worker seconds another run of a trial takes, with every forget request, evaluation included."""
    replicates = len({step.replicate for step in record.steps})
    return record.duration_s / replicates * len(study.config.forget) if replicates else 0.0


def passes(study: StudyReader, record: TrialRecord) -> float:
    """How often a run of a trial passes over the retain images; 0 for methods that do not say so."""
    try:
        method: Any = study.plan.unlearn_config(record.params, study.plan.trial_seeds[0]).method
    except ConfigError:
        return 0.0
    return float(getattr(method, "epochs", 0) * getattr(method, "retain_fraction", 0))


def _trial_s(record: TrialRecord) -> float:
    """Worker seconds of a trial; of one that failed by itself, also those after its last report."""
    if record.failure is None or not record.failure.counts or record.finished_ms is None:
        return record.duration_s
    reported_ms = record.steps[-1].timestamp_ms if record.steps else 0
    return record.duration_s + max(0, record.finished_ms - max(reported_ms, record.started_ms)) / 1000


def _spent_s(study: StudyReader, run: FinalistRun | Confirmation, records: Mapping[int, TrialRecord]) -> float:
    """Worker seconds of a run; about as many as others of its trial where that was not kept."""
    if "spent_s" in run:
        return run["spent_s"]
    record = records.get(run["number"])
    return run_s(study, record) if record is not None else run.get("elapsed_s", 0.0)


def _drives(study: StudyReader, now_ms: int | None = None) -> list[tuple[int, int]]:
    """When drivers worked; one that died, or still works, did until what the study heard of last."""
    noted = study.noted(DRIVES, [])
    runs = [*study.noted(FINALIST_RUNS, []), *study.noted(CONFIRMATIONS, [])]
    heard = [*_trial_activity(study.records()), *(run["ended_ms"] for run in runs if "ended_ms" in run)]
    drives = []
    for drive, period in zip(noted, _periods(noted), strict=True):
        last = drive is noted[-1]
        if "ended_ms" in drive:
            drives.append((drive["begun_ms"], drive["ended_ms"]))
        elif last and now_ms is not None:
            drives.append((drive["begun_ms"], now_ms))
        else:
            drives.append(_ended(period, heard))
    return drives


def _periods(drives: Sequence[Drive]) -> list[tuple[int, int]]:
    """From the beginning of each drive to that of the next."""
    begins = [drive["begun_ms"] for drive in drives]
    return list(zip(begins, [*begins[1:], _FOREVER], strict=True)) if begins else []


def _ended(period: tuple[int, int], heard: Sequence[int]) -> tuple[int, int]:
    """The part of a period up to what was heard in it last; none of it where nothing was."""
    begun, until = period
    return begun, max((at for at in heard if begun <= at < until), default=begun)


def _trial_activity(records: Sequence[TrialRecord]) -> list[int]:
    """When something was heard of trials, milliseconds since 1970."""
    reports = [record.steps[-1].timestamp_ms for record in records if record.steps]
    return reports + [record.finished_ms for record in records if record.finished_ms is not None]


def _wall_s(drives: Sequence[tuple[int, int]]) -> float:
    return sum(max(0, ended - begun) for begun, ended in drives) / 1000
