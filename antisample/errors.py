"""The exceptions that antisample raises on purpose; everything else is a bug."""

import textwrap
from collections.abc import Sequence


class AntisampleError(Exception):
    """Base of all errors that a user can cause and can mend. The command line prints it without a traceback."""


class ConfigError(AntisampleError):
    """One or more values of a configuration break a rule.

    Args:
        problems: Every problem found, each naming key, rule and value; they are reported all at once.
        source: The file or flag that holds the values, if there is one.
    """

    def __init__(self, problems: str | Sequence[str], source: str | None = None) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        self.source = source
        super().__init__(self.problems, source)

    def __str__(self) -> str:
        prefix = f"{self.source}: " if self.source else ""
        if len(self.problems) == 1:
            return prefix + self.problems[0]
        return f"{prefix}{len(self.problems)} problems:\n" + "\n".join(f"  - {p}" for p in self.problems)


class DataError(AntisampleError):
    """A data set, checkpoint or cache file is missing, damaged or of another layout than required."""


class DivergedError(AntisampleError):
    """Training produced a loss or a metric that is not finite."""


class StorageError(AntisampleError):
    """An object store does not answer, or refuses access: nothing is known about what it holds."""


def in_one_line(error: BaseException) -> str:
    """What an exception of somebody else's code says, as a part of a sentence: its kind and its first sentence."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    text = " ".join(lines[:2]) if lines and lines[0].endswith(":") else "".join(lines[:1])
    sentence = textwrap.shorten(text.split(". ")[0], 300, placeholder="").rstrip(".:; ")
    return f"{type(error).__name__}: {sentence}" if sentence else type(error).__name__
