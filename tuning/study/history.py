"""How a study ended, each time it was run: kept in the study, so that views of it can be made again."""

import time
from dataclasses import dataclass

from tuning.study.attributes import ENDINGS, End
from tuning.study.outcome import Outcome
from tuning.study.reader import StudyReader
from tuning.study.study import Study


@dataclass(frozen=True)
class SearchEnd:
    """The outcome in figures at the end of one run of the search.

    Attributes:
        timestamp_ms: When it was found, milliseconds since 1970.
        trials: How many there were.
        chosen: Number of the chosen trial; None if there was none.
        values: Hypervolume, size of the front, `chosen/METRIC` of the chosen trial, and `spent/...`: worker seconds,
            seconds of the clock and retrainings of the whole request, as far as they are known.
    """

    timestamp_ms: int
    trials: int
    chosen: int | None
    values: dict[str, float]

    def to_attribute(self) -> End:
        """As the study keeps it."""
        return {
            "timestamp_ms": self.timestamp_ms,
            "trials": self.trials,
            "chosen": self.chosen,
            "values": self.values,
        }


def record_search_end(study: Study, outcome: Outcome) -> None:
    """Keeps the outcome in the study, unless it is the one that was kept last."""
    values = {"hypervolume": outcome.hypervolume, "front_size": float(len(outcome.front))}
    chosen = outcome.chosen
    if chosen is not None:
        values |= {f"chosen/{name}": value for name, value in chosen.metrics.items()}
    spending = outcome.spending
    spent = {
        "spent/worker_s": spending.total_s or None,
        "spent/wall_s": spending.wall_s,
        "spent/retrainings": spending.retrainings(spending.total_s or None),
    }
    values |= {name: seconds for name, seconds in spent.items() if seconds is not None}
    before = ends(study)
    end = SearchEnd(
        time.time_ns() // 1_000_000, len(study.records()), None if chosen is None else chosen.number, values
    )
    if not before or (end.trials, end.chosen, end.values) != (
        before[-1].trials,
        before[-1].chosen,
        before[-1].values,
    ):
        study.note(ENDINGS, [end.to_attribute() for end in (*before, end)])


def ends(study: StudyReader) -> tuple[SearchEnd, ...]:
    """All ends so far, the oldest first; none while the first run of the search is under way."""
    return tuple(SearchEnd(**end) for end in study.noted(ENDINGS, []))
