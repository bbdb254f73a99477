"""The Optuna journal on disk: locked by the kernel, mended when a crash cut its last line short, never begun twice.

Every line that is written here carries its number, which Optuna ignores, and a file beside it says how many there
were when a trial last ended. So a line that is missing, or an end that is, is noticed when the journal is read.
"""

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
from optuna.storages.journal._storage import JournalOperation
from optuna.trial import FrozenTrial, TrialState

from antisample.errors import DataError
from antisample.files import whole_file
from tuning.journal_replay import LINE, WAY_OUT, CheckedReplay


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


def open_journal(path: Path, *, begin: bool = True) -> "StudyJournal":
    """Opens or starts a journal.

    Args:
        path: The journal; its folder exists.
        begin: Whether to start one that is not there, or empty. Not where lines were kept in it before.

    Returns:
        Storage for one Optuna study.

    One that may be read but not written, such as a colleague's, is opened as it is.

    Raises:
        DataError: If lines are missing or damaged, so that trials would be missing; or it cannot be opened.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: a file is expected, but this is none. {WAY_OUT}")
    before = kept_lines(path)
    if not path.exists() and (before or not begin):
        raise DataError(f"{path}: the journal of the study is not there. {WAY_OUT}")
    lock = KernelLock(path.with_suffix(".lock"))
    mended = False
    try:
        with lock:  # a driver may be in the middle of a line
            mended = mend_journal(path)
    except OSError as error:
        if not os.access(path, os.R_OK):
            raise DataError(f"{path}: cannot be opened ({error.strerror}).") from error
    if path.exists() and not path.stat().st_size and (before or not begin):
        raise DataError(f"{path}: the journal of the study is empty. {WAY_OUT}")
    journal = StudyJournal(WholeLines(path, lock))
    if journal.n_lines() < before - mended:
        raise DataError(
            f"{path}: the journal was cut short; it holds {journal.n_lines()} lines, and held {before} when a trial "
            f"last ended. {WAY_OUT} To go on from what is left, delete {_length_file(path).name}."
        )
    return journal


def kept_lines(path: Path) -> int:
    """How many lines a journal had when a trial last ended; 0 if that was not kept."""
    try:
        return int(_length_file(path).read_text())
    except (OSError, ValueError):
        return 0


def _length_file(path: Path) -> Path:
    return path.with_suffix(".lines")


class StudyJournal(JournalStorage):
    """Optuna's storage over a journal, which can take several changes to the disk together.

    Optuna asks for all trials seven times a trial. Those that have ended stay as they are, so only the others are
    looked at: what a trial costs does not grow with the study.
    """

    def __init__(self, lines: "WholeLines") -> None:
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

    def together(self) -> contextlib.AbstractContextManager[None]:
        """Within it changes are in the file at once, where other processes see them, and on the disk at its end.

        A trial is about twenty changes, and waiting for the disk after each would cost more than all the rest.
        """
        return self._lines.together()

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
        self.path, self._kernel_lock = path, lock
        self._depth, self._unsaved = 0, False
        self._lines, self._bytes = 0, 0  # so far counted
        self._trial_ended = False

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
                with self._as_data_error(), self._open() as file:
                    os.fsync(file.fileno())
                self._keep_length()

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Appends lines.

        Raises:
            DataError: If they cannot be written; what was there before is kept.
        """
        with self._kernel_lock, self._as_data_error(), self._open() as file:
            self._count(file)
            numbered = [{**log, LINE: number} for number, log in enumerate(logs, self._lines + 1)]
            lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in numbered)
            file.write(lines.encode())
            file.flush()
            self._lines, self._bytes = self._lines + len(logs), self._bytes + len(lines.encode())
            self._trial_ended |= any(_ends_a_trial(log) for log in logs)
            if self._depth:
                self._unsaved = True
            else:
                os.fsync(file.fileno())
        if not self._depth:
            self._keep_length()

    def _open(self) -> IO[bytes]:
        """The file, never made anew: one that was deleted would begin again in the middle of a study."""
        return open(self.path, "a+b", opener=lambda path, flags: os.open(path, flags & ~os.O_CREAT))

    def _count(self, file: IO[bytes]) -> None:
        """Counts the lines; others may have appended some."""
        size = file.seek(0, os.SEEK_END)
        if size < self._bytes:
            raise DataError(f"{self.path}: the journal was cut short while it was written. {WAY_OUT}")
        file.seek(self._bytes)
        self._lines, self._bytes = self._lines + file.read(size - self._bytes).count(b"\n"), size

    def _keep_length(self) -> None:
        if self._trial_ended:
            self._trial_ended = False
            # Without it a journal that is cut short is not noticed, and nothing else is lost.
            with contextlib.suppress(DataError), whole_file(_length_file(self.path)) as unfinished:
                unfinished.write_text(f"{self._lines}\n")

    @contextlib.contextmanager
    def _as_data_error(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            mend_journal(self.path)
            raise DataError(f"{self.path}: cannot be written ({error.strerror}).") from error


def _ends_a_trial(log: dict[str, Any]) -> bool:
    finishing = log["op_code"] == JournalOperation.SET_TRIAL_STATE_VALUES
    return finishing and TrialState(log["state"]).is_finished()


def mend_journal(path: Path) -> bool:
    """Cuts off a last line that a crash left unfinished; the next append would make the journal unreadable.

    Returns:
        Whether there was one.

    Raises:
        DataError: If an earlier line is damaged.
    """
    if not path.exists():
        return False
    with path.open("r+b") as file:
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.splitlines()
        for number, line in enumerate(lines, 1):
            if _is_record(line):
                continue
            if number < len(lines):
                raise DataError(f"{path}: line {number} of the journal is damaged. {WAY_OUT}")
            whole = whole[: -len(line) - 1]
        if content and not whole and not _begins_a_journal(content):
            raise DataError(f"{path}: the file is no journal of Optuna's. {WAY_OUT}")
        if len(whole) < len(content):
            file.truncate(len(whole))
            os.fsync(file.fileno())
        return len(whole) < len(content)


def _begins_a_journal(content: bytes) -> bool:
    """Whether a file without a whole line is what a crash at the first line leaves."""
    return content.startswith(b"{") or not content.strip(b"\0\n")


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
