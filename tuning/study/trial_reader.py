"""Reads the trials of an Optuna study as records, each as often as it changes."""

import math
from bisect import insort
from dataclasses import replace
from statistics import median

import optuna
from optuna.trial import FrozenTrial, TrialState

from tuning.strategies.eligibility import TrialCheck
from tuning.study.frozen_trials import added_record, to_record
from tuning.trials.records import TrialRecord

_COUNTED = ("COMPLETE", "PRUNED")


class TrialReader:
    """Keeps records and counts: a search asks for all of them at every event, and only a few trials have changed.

    Args:
        study: Where the trials are. Its storage makes a new object of a trial that changes, as Optuna's do.
        check: Tells the search's own trials from those of others; None takes all for its own.
    """

    def __init__(self, study: optuna.Study, check: TrialCheck | None = None) -> None:
        self._study, self._check = study, check
        self._trials: list[FrozenTrial] = []
        self._records: list[TrialRecord] = []
        self._settled = 0  # so many trials from the first on have ended
        self._seconds: list[float] = []
        self._failed = 0
        self._complete: list[TrialRecord] = []
        self._by_hand: dict[int, TrialRecord] = {}

    def records(self) -> list[TrialRecord]:
        """All trials that the search started, by number."""
        self._refresh()
        begun = [record for record in self._records if record.state != "WAITING" or record.seeds]
        return [record for record in begun if record.number not in self._by_hand]

    def by_hand(self) -> list[TrialRecord]:
        """Finished trials that others added, or ended, by number."""
        self._refresh()
        return list(self._by_hand.values())

    def record(self, number: int) -> TrialRecord:
        """One trial as it is now."""
        if number < len(self._trials):
            self._read(number, self._study._storage.get_trial(self._trials[number]._trial_id))
        else:
            self._refresh()
        return self._records[number]

    def last_read(self, number: int) -> TrialRecord:
        """One trial as it was last read; whoever changes it and reads it after each change need not read again."""
        return self._records[number]

    def complete(self) -> list[TrialRecord]:
        """Trials that came to their end, in the order in which this reader saw it; it grows at its end only."""
        self._refresh()
        return self._complete

    def n_finished(self) -> int:
        """Trials that count towards `n_trials`."""
        self._refresh()
        return len(self._seconds)

    def n_failed(self) -> int:
        """Trials that failed by themselves."""
        self._refresh()
        return self._failed

    def typical_s(self) -> float | None:
        """Median seconds of the trials that count; None before the first."""
        self._refresh()
        return median(self._seconds) if self._seconds else None

    def _refresh(self) -> None:
        trials = self._study.get_trials(deepcopy=False)
        for number in range(self._settled, len(trials)):
            self._read(number, trials[number])
        while self._settled < len(trials) and self._trials[self._settled].state.is_finished():
            self._settled += 1

    def _read(self, number: int, trial: FrozenTrial) -> None:
        if number == len(self._trials):
            self._trials.append(trial)
            self._records.append(self._to_record(trial))
        elif self._trials[number] is trial or self._trials[number].state.is_finished():
            return  # a database gives a new object each time, and what has ended stays as it is
        else:
            self._trials[number], self._records[number] = trial, self._to_record(trial)
        if trial.state.is_finished() and number not in self._by_hand:
            self._count(self._records[number])

    def _to_record(self, trial: FrozenTrial) -> TrialRecord:
        check = self._check
        if check is None or check.is_own(trial):
            try:
                record = to_record(trial)
                if check is None or trial.state.is_finished():
                    return record
                # What does not fit is refused when the trial is gone on with.
                return replace(record, params=check.fitting(record.params))
            except (TypeError, ValueError, AttributeError):  # attributes named as ours, with something else in them
                if check is None:
                    raise
        reason = check.ignorance(trial) if trial.state == TrialState.COMPLETE else None
        values = [value for value in trial.values or () if math.isfinite(value)]
        metrics = dict(zip(check.objectives, values, strict=True)) if len(values) == len(check.objectives) else {}
        record = added_record(
            trial, check.fitting(trial.params), metrics, reason, begun_here=check.is_begun_here(trial)
        )
        if trial.state.is_finished():
            self._by_hand[trial.number] = record
        return record

    def _count(self, record: TrialRecord) -> None:
        if record.state in _COUNTED:
            insort(self._seconds, record.duration_s)
        elif record.failure is not None and record.failure.counts:
            self._failed += 1
        if record.state == "COMPLETE":
            self._complete.append(record)
