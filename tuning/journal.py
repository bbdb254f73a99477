"""The Optuna journal on disk: locked by the kernel, and mended when a crash cut its last line short."""

import contextlib
import copy
import fcntl
import json
import os
from collections.abc import Container, Iterator
from pathlib import Path
from typing import IO, Any, cast

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from antisample.errors import DataError


class KernelLock:
    """An advisory lock that the kernel releases when its process dies, however it dies. Optuna asks for its methods.

    Args:
        path: The lock file; it stays behind empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> bool:
        """Waits for the lock."""
        self._file = self._path.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Gives the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def open_journal(path: Path) -> "StudyJournal":
    """Opens or starts a journal.

    Args:
        path: The journal; its folder exists.

    Returns:
        Storage for one Optuna study.

    One that may be read but not written, such as a colleague's, is opened as it is.

    Raises:
        DataError: If a line other than the last is damaged, so that trials would be missing; or it cannot be opened.
    """
    path = path.resolve()
    lock = KernelLock(path.with_suffix(".lock"))
    try:
        with lock:  # a driver may be in the middle of a line
            mend_journal(path)
    except OSError as error:
        if not os.access(path, os.R_OK):
            raise DataError(f"{path}: cannot be opened ({error.strerror}).") from error
    return StudyJournal(WholeLines(path, lock))


class StudyJournal(JournalStorage):
    """Optuna's storage over a journal, which can take several changes to the disk together.

    Optuna asks for all trials seven times a trial. Those that have ended stay as they are, so only the others are
    looked at: what a trial costs does not grow with the study.
    """

    def __init__(self, lines: "WholeLines") -> None:
        super().__init__(lines)
        self._lines = lines
        self._ended: dict[int, list[FrozenTrial]] = {}  # by study, its trials before the first that has not ended

    def together(self) -> contextlib.AbstractContextManager[None]:
        """Within it changes are in the file at once, where other processes see them, and on the disk at its end.

        A trial is about twenty changes, and waiting for the disk after each would cost more than all the rest.
        """
        return self._lines.together()

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """See `JournalStorage`."""
        with self._thread_lock:
            self._sync_with_backend()
            known, numbers = self._replay_result._trials, self._replay_result._study_id_to_trial_ids[study_id]
            ended = self._ended.setdefault(study_id, [])
            for trial_id in numbers[len(ended) :]:
                if not known[trial_id].state.is_finished():
                    break
                ended.append(known[trial_id])
            others = [known[trial_id] for trial_id in numbers[len(ended) :]]
            if states is None:
                trials = ended + others
            else:
                wanted = [state.is_finished() for state in TrialState if state in states]
                trials = [t for t in (ended + others if any(wanted) else others) if t.state in states]
            return copy.deepcopy(trials) if deepcopy else trials


class WholeLines(JournalFileBackend):
    """Optuna's journal file, which is never left with half a line when the disk is full.

    Args:
        path: The journal.
        lock: Held while lines are written.
    """

    def __init__(self, path: Path, lock: KernelLock) -> None:
        super().__init__(str(path), lock_obj=cast(Any, lock))
        self._path, self._kernel_lock = path, lock
        self._depth, self._unsaved = 0, False

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """See `StudyJournal.together`."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth and self._unsaved:
                self._unsaved = False
                with self._as_data_error(), self._path.open("ab") as file:
                    os.fsync(file.fileno())

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Appends lines.

        Raises:
            DataError: If they cannot be written; what was there before is kept.
        """
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._kernel_lock, self._as_data_error(), self._path.open("ab") as file:
            file.write(lines.encode())
            file.flush()
            if self._depth:
                self._unsaved = True
            else:
                os.fsync(file.fileno())

    @contextlib.contextmanager
    def _as_data_error(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            mend_journal(self._path)
            raise DataError(f"{self._path}: cannot be written ({error.strerror}).") from error


def mend_journal(path: Path) -> None:
    """Cuts off a last line that a crash left unfinished; the next append would make the journal unreadable.

    Raises:
        DataError: If an earlier line is damaged.
    """
    if not path.exists():
        return
    with path.open("r+b") as file:
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.splitlines()
        for number, line in enumerate(lines, 1):
            if _is_record(line):
                continue
            if number < len(lines):
                raise DataError(f"{path}: line {number} of the journal is damaged; restore the file from a copy.")
            whole = whole[: -len(line) - 1]
        if len(whole) < len(content):
            file.truncate(len(whole))
            os.fsync(file.fileno())


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
