"""The journal's file: a regular one, read and appended to in whole lines, and mended where a crash cut one short.

A file that does not begin as a journal is never written to, nor one that has a second name elsewhere.
"""

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from optuna.storages.journal import BaseJournalBackend
from optuna.storages.journal._storage import JournalOperation
from optuna.trial import TrialState

from antisample.errors import DataError
from antisample.storage.atomic import atomic_write
from antisample.storage.regular_files import open_regular, read_regular
from tuning.study.storage.journal_lines import Chain
from tuning.study.storage.journal_replay import WAY_OUT, damaged
from tuning.study.storage.kernel_lock import KernelLock

_BEGINNING = b'{"op_code":0,"worker_id":"'
_LONGEST_LINE = 1 << 28
_WRITE = os.O_RDWR | os.O_APPEND


class AtomicJournalFile(BaseJournalBackend):
    """A journal's file, which is never left with half a line when the disk is full.

    Args:
        path: The journal, which is there.
        lock: Held while lines are written.
    """

    def __init__(self, path: Path, lock: KernelLock) -> None:
        self.path, self._lock = path, lock
        self._depth, self._unsaved = 0, False
        self._read, self._written = Chain(), Chain()  # how far each has come
        self._trial_ended = False

    @contextlib.contextmanager
    def batch_writes(self) -> Iterator[None]:
        """See `StudyJournal.batch_writes`."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth and self._unsaved:
                self._unsaved = False
                with self._as_data_error(), _open_to_write(self.path) as file:
                    os.fsync(file.fileno())
                self._keep_length()

    def read_logs(self, log_number_from: int) -> Iterator[Any]:
        """Reads the records after the first so many.

        A last line that is no record is left out: it is being written, or was when its writer died.

        Raises:
            OSError: If the file cannot be read.
            DataError: If a line is damaged, or does not fit those before it.
        """
        if self._read.lines != log_number_from:
            self._read = Chain()
        with open_regular(self.path, inside=self.path.parent) as file:
            left = os.fstat(file.fileno()).st_size - file.seek(self._read.size)
            while left > 0:
                line = file.readline(min(left, _LONGEST_LINE))
                left -= len(line)
                record = _record(line)
                if record is None and not left:
                    return
                if record is None or not self._read.takes(line):
                    raise damaged(self.path, self._read.lines + 1, record and record[0])
                if self._read.lines > log_number_from:
                    yield record[0]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Appends records.

        Raises:
            DataError: If they cannot be written; what was there before is kept.
        """
        with self._as_data_error(), self._lock, _open_to_write(self.path) as file:
            chain = self._at_end(file)
            start = chain.size
            lines = b"".join(chain.sealed(log) for log in logs)
            file.write(lines)
            file.flush()
            _count_between(file, start, len(lines), chain)
            self._written = chain
            self._trial_ended |= any(_ends_a_trial(log) for log in logs)
            if self._depth:
                self._unsaved = True
            else:
                os.fsync(file.fileno())
        if not self._depth:
            self._keep_length()

    def _at_end(self, file: IO[bytes]) -> Chain:
        """The chain at the end of the file; others may have appended lines."""
        ahead = self._read if self._read.size > self._written.size else self._written
        chain, size = ahead.copy(), file.seek(0, os.SEEK_END)
        if size < chain.size:
            raise DataError(f"{self.path}: the journal was truncated while it was being written. {WAY_OUT}")
        file.seek(chain.size)
        for line in file:
            if not chain.takes(line):
                raise damaged(self.path, chain.lines + 1)
        return chain

    def _keep_length(self) -> None:
        if self._trial_ended:
            self._trial_ended = False
            # Without it a journal that is cut short is not noticed, and nothing else is lost.
            with contextlib.suppress(DataError), atomic_write(length_file(self.path)) as unfinished:
                unfinished.write_text(f"{self._written.lines}\n")

    @contextlib.contextmanager
    def _as_data_error(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            with contextlib.suppress(OSError):
                repair_journal(self.path)
            raise DataError(f"{self.path}: cannot be written ({error.strerror}).") from error


def repair_journal(path: Path) -> bool:
    """Cuts off a last line that a crash left unfinished; the next append would make the journal unreadable.

    Returns:
        Whether there was one.

    Raises:
        OSError: If it cannot be read and written, or is no regular file; not if it is missing.
        DataError: If it is no journal, which is left as it is.
    """
    try:
        file = _open_to_write(path)
    except FileNotFoundError:
        return False
    with file:
        end = size = file.seek(0, os.SEEK_END)
        if not size:
            return False
        start = _start_of_last_line(file, size)
        file.seek(start)
        if _record(file.read()) is None:
            end = start
        file.seek(0)
        if not _begins_a_journal(file.readline(_LONGEST_LINE), whole=bool(end)):
            raise DataError(f"{path}: the file is not an Optuna journal. {WAY_OUT}")
        if end < size:
            file.truncate(end)
            os.fsync(file.fileno())
        return end < size


def kept_lines(path: Path) -> int:
    """How many lines a journal had when a trial last ended; 0 if that was not kept."""
    try:
        return int(read_regular(length_file(path), inside=path.parent, most=100))
    except (OSError, ValueError):
        return 0


def length_file(path: Path) -> Path:
    """Where the number of a journal's lines is kept."""
    return path.with_suffix(".lines")


def _open_to_write(path: Path) -> IO[bytes]:
    """The file, never made anew: one that was deleted would begin again in the middle of a study."""
    file = open_regular(path, _WRITE, inside=path.parent)
    if os.fstat(file.fileno()).st_nlink > 1:
        file.close()
        raise OSError(errno.EMLINK, "the file has another name (a hard link); replace it with a copy", str(path))
    return file


def _count_between(file: IO[bytes], start: int, n_bytes: int, chain: Chain) -> None:
    """Counts what others, who do not take our lock, appended between the look at the end and our own lines."""
    others = file.tell() - n_bytes - start
    if others > 0:
        file.seek(start)
        chain.lines, chain.size = chain.lines + file.read(others).count(b"\n"), chain.size + others


def _start_of_last_line(file: IO[bytes], size: int) -> int:
    """Where the last line begins, whether it has an end or not."""
    step, end = 1 << 16, size - 1
    while end > 0:
        begin = max(0, end - step)
        file.seek(begin)
        position = file.read(end - begin).rfind(b"\n")
        if position >= 0:
            return begin + position + 1
        end = begin
    return 0


def _begins_a_journal(line: bytes, *, whole: bool) -> bool:
    """Whether a first line is a record, or what a crash left of one."""
    if whole:
        record = _record(line)
        return record is not None and isinstance(record[0], dict) and "op_code" in record[0]
    return line.startswith(_BEGINNING[: len(line)]) or not line.strip(b"\0\n")


def _record(line: bytes) -> tuple[Any] | None:
    """What a line says, in a tuple; None if it is not whole or not readable."""
    try:
        return (json.loads(str(line, "utf-8")),) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None


def _ends_a_trial(log: dict[str, Any]) -> bool:
    finishing = log["op_code"] == JournalOperation.SET_TRIAL_STATE_VALUES
    return finishing and TrialState(log["state"]).is_finished()
