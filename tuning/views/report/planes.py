"""What the figures of the front show, before anything is drawn: trials, marks, and the part to look at."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tuning.config.objectives import DEPTH, RETAIN, Objective
from tuning.config.study import StudyConfig
from tuning.study.outcome import Outcome
from tuning.trials.depth import is_judged_by_depth
from tuning.trials.front import front_of
from tuning.trials.limits import Limits
from tuning.trials.pareto import non_dominated
from tuning.trials.records import TrialRecord
from tuning.views.baseline_texts import references
from tuning.views.report.drawing import completed, scaled
from tuning.views.report.windows import Range, Window, usual_range, window_around

Place = tuple[float, float]


@dataclass(frozen=True)
class Mark:
    """A baseline in a figure, with its name beside it.

    Attributes:
        name: Such as `mask`.
        metrics: Its figures.
    """

    name: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class Plane:
    """Trials by two metrics, and perhaps coloured by a third.

    Attributes:
        across: Metric of the horizontal axis.
        up: That of the vertical one.
        colour: What the points are coloured by; None for none.
        others: Trials that keep the constraints, without those on the front.
        front: Trials on the front of the study.
        infeasible: Trials that break a constraint.
        best: Of these trials, those that are best in the two metrics alone, from left to right; empty without a line.
        start: The starting point; None where it is not in the figure.
        chosen: The chosen trial; None where it is not in the figure.
        marks: Baselines that have both metrics.
        window: The part to look at first, as ranges of both axes as drawn: the front, the starting point, the
            original, the mask, the references, and the trials around them, without the few that lie far away. None
            where no trial keeps the constraints.
        closest: The front alone, likewise; None where no trial is on it.
    """

    across: str
    up: str
    colour: str | None
    others: tuple[TrialRecord, ...]
    front: tuple[TrialRecord, ...]
    infeasible: tuple[TrialRecord, ...]
    best: tuple[TrialRecord, ...]
    start: TrialRecord | None
    chosen: TrialRecord | None
    marks: tuple[Mark, ...]
    window: Window | None
    closest: Window | None

    def place(self, metrics: dict[str, float]) -> Place:
        """Where figures lie, as drawn: accuracies in percent; NaN for what is missing."""
        return _drawn(self.across, metrics), _drawn(self.up, metrics)

    @property
    def colour_range(self) -> Range:
        """Where the scale of colours begins and ends; values far from all others have the colour of its end.

        That of depth has the mask and an untrained network at its ends.
        """
        metric = self.colour or ""
        if metric == DEPTH:
            return 0.0, 1.0
        front, others = (
            [scaled(metric, record.metrics.get(metric)) or 0.0 for record in some]
            for some in (self.front, self.others)
        )
        values = [*front, *others] or [0.0]
        return usual_range(values, front) or (min(values), max(values))

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """Every trial of the figure."""
        return (*self.others, *self.front, *self.infeasible)

    @property
    def outside(self) -> int:
        """How many trials lie outside of the part to look at first."""
        if self.window is None:
            return 0
        places = [self.place(record.metrics) for record in self.trials]
        (left, right), (bottom, top) = self.window
        return sum(not (left <= x <= right and bottom <= y <= top) for x, y in places)


def trade_off_plane(records: Sequence[TrialRecord], outcome: Outcome, config: StudyConfig) -> Plane:
    """All completed trials by two objectives; of three or more, depth or the third is the colour."""
    metrics = [objective.metric for objective in config.objectives]
    colour = None if len(metrics) == 2 else DEPTH if DEPTH in metrics else metrics[2]
    across, up = [metric for metric in metrics if metric != colour][:2]
    return _plane((across, up, colour), completed(records), outcome, config)


def depth_plane(records: Sequence[TrialRecord], outcome: Outcome, config: StudyConfig) -> Plane | None:
    """Depth against retain accuracy of the trials that forget; None where none does, or depth is no objective."""
    if not is_judged_by_depth(config):
        return None
    limits = Limits(config.selection, outcome.original, by_samples=config.by_samples)
    forget = [record for record in completed(records) if limits.forgets(record)]
    return _plane((DEPTH, RETAIN, None), forget, outcome, config) if forget else None


def _plane(
    axes: tuple[str, str, str | None], some: list[TrialRecord], outcome: Outcome, config: StudyConfig
) -> Plane:
    across, up, colour = axes
    allowed = [record for record in some if front_of([record], config.objectives, config.constraints)]
    numbers, front = {r.number for r in allowed}, {r.number for r in outcome.front}
    inside = {record.number: record for record in some}
    start = inside.get(outcome.published.number) if outcome.published is not None else None
    marks = [
        Mark(row.name, row.metrics)
        for row in outcome.baselines.rows
        if row.trial is None and across in row.metrics and up in row.metrics
    ]
    held_against = {"original", "mask", *(row.name for row in references(outcome.baselines))}
    always = [*(mark.metrics for mark in marks if mark.name in held_against), *([start.metrics] if start else [])]
    best = [record.metrics for record in allowed if record.number in front]
    usual = [record.metrics for record in allowed if record.number not in front]
    return Plane(
        across,
        up,
        colour,
        others=tuple(r for r in allowed if r.number not in front),
        front=tuple(r for r in allowed if r.number in front),
        infeasible=tuple(r for r in some if r.number not in numbers),
        best=() if colour is not None else _best(allowed, (across, up), config.objectives),
        start=start,
        chosen=inside.get(outcome.chosen.number) if outcome.chosen is not None else None,
        marks=tuple(marks),
        window=window_around([*always, *best], usual, (across, up), _drawn) if allowed else None,
        closest=window_around(best, [], (across, up), _drawn),
    )


def _best(some: list[TrialRecord], axes: tuple[str, str], objectives: Iterable[Objective]) -> tuple[TrialRecord, ...]:
    signs = {objective.metric: objective.sign() for objective in objectives}
    # A retain accuracy that is no objective is to be large all the same.
    points = [tuple(signs.get(axis, -1) * record.metrics[axis] for axis in axes) for record in some]
    best = [some[position] for position in non_dominated(points)]
    return tuple(sorted(best, key=lambda record: (record.metrics[axes[0]], record.number)))


def _drawn(metric: str, figures: dict[str, float]) -> float:
    value = scaled(metric, figures.get(metric))
    return math.nan if value is None else value
