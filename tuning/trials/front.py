"""The Pareto front of a study's trials."""

from collections.abc import Sequence

from tuning.config.objectives import ELAPSED, Constraint, Objective, minimised_point
from tuning.trials.pareto import Point, non_dominated
from tuning.trials.records import TrialRecord


def front_of(
    records: Sequence[TrialRecord], objectives: tuple[Objective, ...], constraints: tuple[Constraint, ...] = ()
) -> list[TrialRecord]:
    """The completed trials that keep the constraints and that no other such trial dominates, best first."""
    complete = [
        record
        for record in records
        if record.state == "COMPLETE"
        and record.values is not None
        and all(c.violation({**record.metrics, ELAPSED: record.unlearning_s}) <= 0 for c in constraints)
    ]
    points = [minimised(record, objectives) for record in complete]
    return sorted(
        (complete[position] for position in non_dominated(points)),
        key=lambda r: (minimised(r, objectives), r.number),
    )


def minimised(record: TrialRecord, objectives: tuple[Objective, ...]) -> Point:
    """A completed trial's values, signed so that smaller is better."""
    return minimised_point(record.values or (), objectives)
