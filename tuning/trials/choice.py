"""What a rule takes of a front."""

from dataclasses import dataclass

from tuning.trials.records import TrialRecord


@dataclass(frozen=True)
class Choice:
    """What a rule takes of a front.

    Attributes:
        chosen: The trial; None if none qualifies, or there is none.
        nearest: Where none qualifies, the trial nearest to it; None otherwise.
        reason: The rule in words, with its figures; a sentence where none is chosen.
    """

    chosen: TrialRecord | None
    nearest: TrialRecord | None
    reason: str
