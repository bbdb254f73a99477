"""What is told about a study while it is run: whoever shows it to people implements this protocol."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from antisample.inputs import LoadingListener, SilentLoading
from tuning.trials.records import TrialRecord

if TYPE_CHECKING:
    from tuning.study.reader import StudyReader  # needs Optuna, which unlearning without a study does not


class ProgressListener(LoadingListener, Protocol):
    """Is told what happens, in order; nothing comes back."""

    def say(self, text: str) -> None:
        """A sentence for people."""

    def start(self, study: "StudyReader", slots: Callable[[], int] | None = None) -> None:
        """The search begins; `slots` says how many trials may be under way at the moment."""

    def trial(self, record: TrialRecord) -> None:
        """A trial started, reported or ended."""

    def searched(self) -> None:
        """The search has ended; what follows are runs with fresh seeds."""

    def final(self, done: int, most: int, problem: str | None = None) -> None:
        """One run of a finalist is finished, or failed with a problem; there are `most` runs at most."""

    def confirmed(self, done: int, total: int, problem: str | None = None) -> None:
        """One run with a fresh seed is finished, or failed with a problem."""


class SilentProgress(SilentLoading):
    """A `ProgressListener` that shows nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def start(self, study: "StudyReader", slots: Callable[[], int] | None = None) -> None:
        """Nothing."""

    def trial(self, record: TrialRecord) -> None:
        """Nothing."""

    def searched(self) -> None:
        """Nothing."""

    def final(self, done: int, most: int, problem: str | None = None) -> None:
        """Nothing."""

    def confirmed(self, done: int, total: int, problem: str | None = None) -> None:
        """Nothing."""
