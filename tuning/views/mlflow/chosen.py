"""The trial that was chosen at an end of the search, as the study's run and the MLflow model show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tuning.study.attributes import CONFIRMATIONS
from tuning.study.attributes import Confirmation as FreshRun
from tuning.study.history import SearchEnd
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord


@dataclass(frozen=True)
class ChosenTrial:
    """A chosen trial and its runs with fresh seeds.

    Attributes:
        record: The trial.
        fresh: One entry a seed that the search had not used.
    """

    record: TrialRecord
    fresh: tuple[FreshRun, ...] = ()

    def metrics(self) -> dict[str, float]:
        """Figures under the names that they have in the trial's own run, and `confirmed/METRIC`, means of `fresh`."""
        names = self.fresh[0]["metrics"] if self.fresh else ()
        confirmed = {f"confirmed/{name}": fmean(run["metrics"][name] for run in self.fresh) for name in names}
        return {**self.record.metrics, **last_seconds(self.record), **confirmed}

    def describe(self) -> str:
        """Number and origin of the trial."""
        return f"trial {self.record.number} ({self.record.origin})"

    def describe_confirmation(self) -> str:
        """What `confirmed/` means are over."""
        few = {0: "not run again", 1: "one fresh seed"}
        return few.get(len(self.fresh), f"means over {len(self.fresh)} fresh seeds")


def chosen_trials(study: StudyReader, search_ends: Sequence[SearchEnd]) -> tuple[ChosenTrial | None, ...]:
    """The trial that was chosen at each end: always the same, since trials that have ended do not change."""
    records = {record.number: record for record in study.records()}
    fresh = study.noted(CONFIRMATIONS, [])
    return tuple(
        ChosenTrial(records[end.chosen], tuple(run for run in fresh if run["number"] == end.chosen))
        if end.chosen in records
        else None
        for end in search_ends
    )


def last_seconds(record: TrialRecord) -> dict[str, float]:
    """What the curves of seconds end with; nothing for a trial without an epoch."""
    if not record.steps:
        return {}
    return {"elapsed_s": record.steps[-1].elapsed_s, "evaluation_s": record.steps[-1].evaluation_s}
