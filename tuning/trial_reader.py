"""Reads the trials of an Optuna study as records, each finished one once."""

from statistics import median

import optuna
from optuna.trial import TrialState

from tuning.records import TrialRecord, to_record

_COUNTED = ("COMPLETE", "PRUNED")
INTERRUPTED = "Interrupted"


class TrialReader:
    """Keeps the records of finished trials, which never change; a search asks for all of them at every event.

    Args:
        study: Where the trials are.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._finished: dict[int, TrialRecord] = {}

    def records(self) -> list[TrialRecord]:
        """All trials that were started, by number."""
        trials = self._study.get_trials(deepcopy=False)
        return [self._read(trial) for trial in trials if trial.state != TrialState.WAITING]

    def record(self, number: int) -> TrialRecord:
        """One trial as it is now."""
        return self._read(self._study.get_trials(deepcopy=False)[number])

    def n_finished(self) -> int:
        """Trials that count towards `n_trials`."""
        return sum(record.state in _COUNTED for record in self.records())

    def n_failed(self) -> int:
        """Trials that failed by themselves."""
        return sum(
            record.state == "FAIL" and not (record.error or "").startswith(INTERRUPTED) for record in self.records()
        )

    def typical_s(self) -> float | None:
        """Median seconds of the trials that count; None before the first."""
        seconds = [record.duration_s for record in self.records() if record.state in _COUNTED]
        return median(seconds) if seconds else None

    def _read(self, trial: optuna.trial.FrozenTrial) -> TrialRecord:
        known = self._finished.get(trial.number)
        if known is None:
            known = to_record(trial)
            if trial.state.is_finished():
                self._finished[trial.number] = known
        return known
