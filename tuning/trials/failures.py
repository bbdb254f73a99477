"""Why a trial failed, as a kind: whether a failure counts is a matter of its kind, not of its message."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

_INTERRUPTED, _REFUSED = "Interrupted", "Not tried"
"""How messages begin in studies from before kinds were kept."""


class FailureKind(StrEnum):
    """What ended a trial; the value is what the journal keeps."""

    ERROR = "error"
    """Its parameters or the training failed: a rule that is broken, or a loss that diverged."""
    OUT_OF_MEMORY = "out of memory"
    NO_RESULT = "no result"
    """It came to its end without a usable value of every objective."""
    WORKER_LOST = "worker lost"
    INTERRUPTED = "interrupted"
    """It was ended from outside: by the time budget, by the end of the search, or by hand."""
    REFUSED = "refused"
    """Others enqueued it with parameters that this study cannot try."""

    @property
    def counts(self) -> bool:
        """Whether it counts towards `max_failures`: the trial failed by itself."""
        return self not in (FailureKind.INTERRUPTED, FailureKind.REFUSED)


def interrupted(reason: str) -> str:
    """The message of a trial that was ended from outside."""
    return f"{_INTERRUPTED}: {reason}"


def refused(reason: str) -> str:
    """The message of a trial that is not run at all."""
    return f"{_REFUSED}: {reason}"


def failure_kind(attributes: Mapping[str, Any]) -> FailureKind:
    """The kind of a failed trial's failure, by its attributes in the journal."""
    stated = attributes.get("failure")
    if stated in list(FailureKind):
        return FailureKind(stated)
    message = str(attributes.get("error", ""))
    if message.startswith(_REFUSED):
        return FailureKind.REFUSED
    return FailureKind.INTERRUPTED if message.startswith(_INTERRUPTED) else FailureKind.ERROR
