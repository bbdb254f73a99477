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

WAY_OUT = "Restore it from a backup; to begin anew, choose another `name` or delete the folder."
LINE = "line"
"""Key of a line's number in the lines that are written here; those of others carry none, and move what follows."""

_OPERATIONS = frozenset(operation.value for operation in JournalOperation)


class CheckedReplay(JournalStorageReplayResult):
    """Optuna's reading of a journal, which notices what cannot follow from the lines before.

    Args:
        path: The journal.
        worker: Optuna's name of this process.
    """

    def __init__(self, path: Path, worker: str) -> None:
        super().__init__(worker)
        self._path = path

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
                f"{optuna.__version__} does not know, so a newer one wrote it. Install that version of Optuna, or "
                "restore the file from a backup made before."
            )
        if not mine and self._lacks_a_line(log, number):
            raise DataError(f"{self._path}: before line {number} a line of the journal is missing. {WAY_OUT}")
        try:
            super().apply_logs([log])
        except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
            if mine:  # what Optuna tells the caller
                raise
            self.log_number_read = number - 1
            raise self._damaged() from error

    def _lacks_a_line(self, log: dict[str, Any], number: int) -> bool:
        trial, study, counted = log.get("trial_id"), log.get("study_id"), log.get(LINE)
        return (
            (isinstance(counted, int) and counted > number)
            or (isinstance(trial, int) and trial not in self._trials)
            or (isinstance(study, int) and study >= self._next_study_id)
        )

    def _damaged(self) -> DataError:
        return DataError(f"{self._path}: line {self.log_number_read + 1} of the journal is damaged. {WAY_OUT}")

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
