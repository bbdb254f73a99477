"""Reading an Optuna journal line by line, and noticing lines that are damaged, missing, or of a newer Optuna."""

import copy
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import json_to_distribution
from optuna.storages.journal._storage import JournalOperation, JournalStorageReplayResult

from antisample.errors import DataError
from tuning.study.storage.journal_fields import has_its_fields
from tuning.study.storage.journal_lines import LINE

WAY_OUT = "Restore it from a backup; to start over, choose another `name` or delete the folder."

_OPERATIONS = frozenset(operation.value for operation in JournalOperation)


def damaged(path: Path, number: int, log: Any = None) -> DataError:
    """What is raised for a line that cannot be what was written.

    Args:
        path: The journal.
        number: Of the line, from 1.
        log: What it says, where that can be read, but does not follow the lines before.
    """
    counted = _counted(log)
    if counted is not None and counted > number:
        return DataError(f"{path}: before line {number} a line of the journal is missing. {WAY_OUT}")
    what = "is damaged" if log is None else "was changed or does not belong there"
    return DataError(f"{path}: line {number} of the journal {what}. {WAY_OUT}")


def _counted(log: Any) -> int | None:
    """The number that a line carries; None for those of others."""
    number = log.get(LINE) if isinstance(log, dict) else None
    return number if isinstance(number, int) else None


class CheckedReplay(JournalStorageReplayResult):
    """Optuna's reading of a journal, which notices what cannot follow from the lines before.

    Args:
        path: The journal.
        worker: Optuna's name of this process.
    """

    def __init__(self, path: Path, worker: str) -> None:
        super().__init__(worker)
        self._path = path
        self._last_counted = 0

    def apply_logs(self, logs: Iterable[dict[str, Any]]) -> None:
        """Takes over lines.

        Raises:
            DataError: If one is damaged or missing, or of a newer Optuna.
        """
        try:
            for log in logs:
                self._apply(log)
        except OSError as error:
            raise DataError(f"{self._path}: cannot be read ({error.strerror}). {WAY_OUT}") from error
        except ValueError as error:
            if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
                raise self._damaged() from error
            raise

    def _apply(self, log: Any) -> None:
        if not isinstance(log, dict) or not isinstance(log.get("op_code"), int):
            raise self._damaged()
        number, mine = self.log_number_read + 1, log.get("worker_id") == self.worker_id
        if log["op_code"] not in _OPERATIONS:
            raise DataError(
                f"{self._path}: line {number} is a record of a kind ({log['op_code']}) that Optuna "
                f"{optuna.__version__} does not know, so it was written by a newer version. Install that version of "
                "Optuna, or restore the file from an earlier backup."
            )
        if not mine and not has_its_fields(log):
            raise self._damaged()
        counted = _counted(log)
        if counted is not None and counted <= self._last_counted:
            raise damaged(self._path, number, log)
        if not mine and self._lacks_a_line(log, number):
            raise DataError(f"{self._path}: before line {number} a line of the journal is missing. {WAY_OUT}")
        try:
            super().apply_logs([log])
        except Exception as error:  # whatever Optuna's code does with what it has not written
            if mine:  # what Optuna tells the caller
                raise
            self.log_number_read = number - 1
            raise self._damaged() from error
        self._last_counted = counted or self._last_counted

    def _lacks_a_line(self, log: dict[str, Any], number: int) -> bool:
        trial, study, counted = log.get("trial_id"), log.get("study_id"), _counted(log)
        return (
            (counted is not None and counted > number)
            or (isinstance(trial, int) and trial not in self._trials)
            or (isinstance(study, int) and study >= self._next_study_id)
        )

    def _damaged(self) -> DataError:
        return damaged(self._path, self.log_number_read + 1)

    def is_deleted(self, study_id: int) -> bool:
        """Whether a study was in the journal and is not any more."""
        return study_id in self._study_id_to_trial_ids and study_id not in self._studies

    def _apply_set_trial_param(self, log: dict[str, Any]) -> None:
        """As Optuna, but for trials that others added with another kind of the parameter: they do not count here."""
        trial_id = log["trial_id"]
        if self._trial_exists_and_updatable(trial_id, log):
            distribution, trial = json_to_distribution(log["distribution"]), copy.copy(self._trials[trial_id])
            value = distribution.to_external_repr(log["param_value_internal"])
            trial.params = {**trial.params, log["param_name"]: value}
            trial.distributions = {**trial.distributions, log["param_name"]: distribution}
            self._trials[trial_id] = trial
