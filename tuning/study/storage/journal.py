"""The Optuna journal on disk: locked by the kernel, mended when a crash cut its last line short, never begun twice.

Every line that is written here carries its number and a check over all lines so far, which Optuna ignores, and a file
beside it says how many there were when a trial last ended. So a line that is missing, changed, doubled or in another
place is noticed when the journal is read, and an end that is missing, too.
"""

import contextlib
import copy
import os
from collections.abc import Container
from pathlib import Path
from typing import cast

from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, TrialState

from antisample.errors import DataError
from antisample.storage.regular_files import open_regular
from tuning.study.storage.journal_file import AtomicJournalFile, kept_lines, length_file, repair_journal
from tuning.study.storage.journal_replay import WAY_OUT, CheckedReplay
from tuning.study.storage.kernel_lock import KernelLock


def open_journal(path: Path, *, begin: bool = True, write: bool = True) -> "StudyJournal":
    """Opens or starts a journal.

    Args:
        path: The journal; its folder exists.
        begin: Whether to start one that is not there, or empty. Not where lines were kept in it before.
        write: Whether it is written to. Who only reads changes nothing, and leaves a last line cut short as it is.

    Returns:
        Storage for one Optuna study.

    One that may be read but not written, such as a colleague's, is opened as it is.

    Raises:
        DataError: If lines are missing or damaged, so that trials would be missing; or it cannot be opened.
    """
    path = path.parent.resolve() / path.name
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: must be a file. {WAY_OUT}")
    before = kept_lines(path)
    if not path.exists() and (before or not begin):
        raise DataError(f"{path}: the journal of the study is missing. {WAY_OUT}")
    lock = KernelLock(path.with_suffix(".lock"))
    try:
        if write and begin:
            open_regular(path, os.O_RDWR | os.O_CREAT, inside=path.parent).close()
        with open_regular(path, inside=path.parent) as file:
            is_empty = not os.fstat(file.fileno()).st_size
    except OSError as error:
        if not _can_be_read(path):
            raise DataError(f"{path}: cannot be opened ({error.strerror}).") from error
        is_empty = False
    if is_empty and (before or not begin):
        raise DataError(f"{path}: the journal of the study is empty. {WAY_OUT}")
    journal = StudyJournal(AtomicJournalFile(path, lock))
    mended = write and _mended(path, lock)
    if journal.n_lines() < before - mended:
        raise DataError(
            f"{path}: the journal was truncated; it has {journal.n_lines()} lines, and had {before} when a trial "
            f"last ended. {WAY_OUT} To continue with what is left, delete {length_file(path).name}."
        )
    return journal


def _can_be_read(path: Path) -> bool:
    try:
        open_regular(path, inside=path.parent).close()
    except OSError:
        return False
    return True


def _mended(path: Path, lock: KernelLock) -> bool:
    """Mends a journal, unless it can only be read. Whether its last line was cut short."""
    try:
        with lock:  # a driver may be in the middle of a line
            return repair_journal(path)
    except OSError:  # said by the first change that cannot be written
        return False


class StudyJournal(JournalStorage):
    """Optuna's storage over a journal, which can take several changes to the disk together.

    Optuna asks for all trials seven times a trial. Those that have ended stay as they are, so only the others are
    looked at: what a trial costs does not grow with the study.
    """

    def __init__(self, lines: AtomicJournalFile) -> None:
        self._lines = lines
        super().__init__(lines)
        self._ended: dict[int, list[FrozenTrial]] = {}  # by study, its trials before the first that has not ended

    def _sync_with_backend(self) -> None:
        if not isinstance(self._replay_result, CheckedReplay):  # before the first line
            self._replay_result = CheckedReplay(self._lines.path, self._worker_id_prefix)
        super()._sync_with_backend()

    def n_lines(self) -> int:
        """How many lines were read."""
        return self._replay_result.log_number_read

    def batch_writes(self) -> contextlib.AbstractContextManager[None]:
        """Within it changes are in the file at once, where other processes see them, and on the disk at its end.

        A trial is about twenty changes, and waiting for the disk after each would cost more than all the rest.
        """
        return self._lines.batch_writes()

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """See `JournalStorage`.

        Raises:
            DataError: If the study was deleted.
        """
        with self._thread_lock:
            self._sync_with_backend()
            if cast(CheckedReplay, self._replay_result).is_deleted(study_id):
                raise DataError(f"{self._lines.path}: the study was deleted from the journal. {WAY_OUT}")
            by_id, numbers = self._replay_result._trials, self._replay_result._study_id_to_trial_ids[study_id]
            ended = self._ended.setdefault(study_id, [])
            for trial_id in numbers[len(ended) :]:
                if not by_id[trial_id].state.is_finished():
                    break
                ended.append(by_id[trial_id])
            others = [by_id[trial_id] for trial_id in numbers[len(ended) :]]
            if states is None:
                trials = ended + others
            else:
                wanted = [state.is_finished() for state in TrialState if state in states]
                trials = [t for t in (ended + others if any(wanted) else others) if t.state in states]
            return copy.deepcopy(trials) if deepcopy else trials
