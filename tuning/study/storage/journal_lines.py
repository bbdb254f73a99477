"""The lines of a journal as they are written here: with a number and a check, both of which Optuna ignores.

The check of a line covers the line and all that stand before it, back to the first, so a line that is changed,
missing, doubled or in another place does not fit, nor does any that follows. Optuna's own API appends lines without a
check, at any moment and without our lock; the next check covers them too, as far as they were there when it was made.
"""

import json
import zlib
from typing import Any

LINE = "line"
"""Key of a line's number in the lines that are written here; those of others carry none, and move what follows."""
CHECK = "check"
"""Key of a line's check, the last in the line."""
_MARK = f',"{CHECK}":'.encode()
_HAS_LINE = f'"{LINE}":'.encode()


class Chain:
    """The check so far, over the lines of a journal from its first.

    Attributes:
        lines: How many lines there were.
        size: How many bytes these have.
    """

    def __init__(self) -> None:
        self.lines, self.size = 0, 0
        self._begun = False
        # At the last line with a check, and after each line of others since: the next check continues one of these.
        self._states = [0]

    def copy(self) -> "Chain":
        """Another one that is as far."""
        other = Chain()
        other.lines, other.size, other._begun, other._states = self.lines, self.size, self._begun, self._states[:]
        return other

    def takes(self, line: bytes) -> bool:
        """Goes on with a line.

        Args:
            line: As it stands in the file, with its end.

        Returns:
            Whether it fits what stands before; if not, nothing was taken.
        """
        body, mark, end = line.rpartition(_MARK)
        if mark and (value := _value(end)) is not None:
            if all(zlib.crc32(body, state) != value for state in reversed(self._states)):
                return False
            self._states, self._begun = [value], True
        elif self._begun and _HAS_LINE in line and LINE in _keys(line):
            return False  # one of ours that lost its check
        else:
            self._states.append(zlib.crc32(line, self._states[-1]))
        self.lines, self.size = self.lines + 1, self.size + len(line)
        return True

    def sealed(self, log: dict[str, Any]) -> bytes:
        """The line of a record, with its number and its check; goes on with it."""
        body = json.dumps({**log, LINE: self.lines + 1}, separators=(",", ":"))[:-1].encode()
        value = zlib.crc32(body, self._states[-1])
        line = body + _MARK + b"%d}\n" % value
        self._states, self._begun = [value], True
        self.lines, self.size = self.lines + 1, self.size + len(line)
        return line


def _value(end: bytes) -> int | None:
    """The number in what follows the mark of a check; None if it is no check of ours."""
    digits = end.removesuffix(b"}\n")
    return int(digits) if len(digits) < len(end) and len(digits) <= 10 and digits.isdigit() else None


def _keys(line: bytes) -> set[str]:
    try:
        log = json.loads(line)
    except (ValueError, RecursionError):
        return set()
    return set(log) if isinstance(log, dict) else set()
