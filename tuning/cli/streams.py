"""Standard output and error as the command line uses them: what cannot be written or shown never ends the work.

A search may take a night. That its output goes to a full disk, to a pipe that nobody reads any more, or nowhere is no
failure of the search, and must not become its exit code. Characters that the output does not take are replaced.
"""

import codecs
import errno
import io
import locale
import os
import sys
from typing import Any

from tuning.views.plain_values import as_ascii

_ERRORS = "antisample.replace"
_NAMES = {1: "Standard output", 2: "Standard error"}


def use_forgiving_streams() -> None:
    """Puts streams that no error can stop in the place of this process's own; those that are closed lead nowhere.

    Streams that somebody else put there, such as a test, stay.
    """
    codecs.register_error(_ERRORS, replaced)
    _open_closed_descriptors()
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        sys.stdout = _stream(1, sys.stdout)
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        sys.stderr = _stream(2, sys.stderr)


def replaced(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that an encoding has not: something like them, or their number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return as_ascii(error.object[error.start : error.end]), error.end


class _ForgivingFile(io.FileIO):
    """A file descriptor that takes everything; what it cannot write is lost, and that is said once."""

    def write(self, data: Any) -> int:
        """Writes, or loses, bytes."""
        try:
            return super().write(data)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                raise
            self._lose(error)
            return len(memoryview(data).cast("B"))

    def _lose(self, error: OSError) -> None:
        """Leads the descriptor nowhere from now on; a reader that has gone away knows why."""
        number = self.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
        if error.errno != errno.EPIPE and number == 1 and sys.stderr is not None:
            sys.stderr.write(
                f"{_NAMES[number]} cannot be written ({error.strerror}); its remaining output is lost.\n"
            )


def _stream(number: int, before: Any) -> io.TextIOWrapper:
    raw = _ForgivingFile(number, "w", closefd=False)
    terminal = raw.isatty()
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=_encoding(before),
        errors=_ERRORS,
        line_buffering=terminal or number == 2,
    )


def _encoding(before: Any) -> str:
    """The stream's own, but ASCII where the locale is plain C: Python would write UTF-8 there all the same."""
    own = getattr(before, "encoding", None) or "utf-8"
    said = os.environ.get("PYTHONIOENCODING", "").partition(":")[0] or os.environ.get("PYTHONUTF8") == "1"
    is_plain = codecs.lookup(locale.getencoding()).name == "ascii"
    return "ascii" if is_plain and not said else own


def _open_closed_descriptors() -> None:
    """Opens standard streams that were closed to nowhere: the next file to be opened would take their place."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
