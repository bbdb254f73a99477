"""The report's figures of how a search went: the hypervolume, and each objective, over trials and over time."""

from collections.abc import Sequence
from typing import Any

from tuning.config.objectives import Constraint, Objective, minimised_point
from tuning.study.outcome import Outcome
from tuning.trials.front import front_of, minimised
from tuning.trials.pareto import Point, dominates, hypervolume
from tuning.trials.records import TrialRecord
from tuning.views.report.drawing import (
    Figure,
    assembled,
    completed,
    count_axis,
    metric_axis,
    scaled,
    seconds_axis,
    short,
    trial_markers,
)
from tuning.views.report.first_views import AxisValues, with_first_view
from tuning.views.report.thinning import MOST_POINTS, thinned

_WITH_MARKERS = 60


def hypervolume_histories(
    records: list[TrialRecord],
    objectives: tuple[Objective, ...],
    reference: tuple[float, ...],
    constraints: tuple[Constraint, ...] = (),
) -> tuple[Figure, Figure]:
    """Hypervolume of the front after each finished trial, over trials and over seconds."""
    corner = minimised_point(reference, objectives)
    front: list[Point] = []
    volumes: list[float] = []
    finished = sorted(completed(records), key=lambda r: (r.finished_ms or 0, r.number))
    for record in finished:
        point = minimised(record, objectives)
        allowed = bool(front_of([record], objectives, constraints))
        if allowed and point not in front and not any(dominates(other, point) for other in front):
            front = [other for other in front if not dominates(point, other)] + [point]
            volumes.append(hypervolume(front, corner))
        else:
            volumes.append(volumes[-1] if volumes else 0.0)
    begun_ms = min(record.started_ms for record in records)
    seconds = [short(((r.finished_ms or begun_ms) - begun_ms) / 1000) for r in finished]
    up = {"title": {"text": "hypervolume"}, "rangemode": "tozero"}
    drawn = _corners(volumes) if len(volumes) > _WITH_MARKERS else list(range(len(volumes)))
    texts = [f"after trial {finished[i].number}: {volumes[i]:.5f}" for i in drawn]
    heights = [short(volumes[i]) for i in drawn]
    over_trials = _steps([i + 1 for i in drawn], heights, texts)
    over_seconds = _steps([seconds[i] for i in drawn], heights, texts)
    ends = AxisValues([(r.number, at) for r, at in zip(finished, seconds, strict=True)], [0.0])
    return (
        assembled([over_trials], count_axis("finished trials", len(volumes)), up),
        with_first_view(assembled([over_seconds], seconds_axis(max(seconds, default=1)), up), {"xaxis": ends}),
    )


def _corners(heights: list[Any]) -> list[int]:
    """Where a staircase begins, changes and ends: what lies between says nothing more."""
    last = len(heights) - 1
    return [i for i, height in enumerate(heights) if i in (0, last) or height != heights[i - 1]]


def _steps(xs: list[Any], heights: list[float], texts: list[str]) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(xs) <= _WITH_MARKERS else "lines",
        "x": xs,
        "y": heights,
        "hovertext": texts,
        "hoverinfo": "text",
        "line": {"shape": "hv", "color": "--front", "width": 2},
        "marker": {"size": 5, "color": "--front"},
        "showlegend": False,
        "cliponaxis": False,
    }


def objective_values(complete: Sequence[TrialRecord], outcome: Outcome, objective: Objective, at: int) -> AxisValues:
    """An objective of trials along an axis: the best value and the chosen trial's are in the first view."""
    metric = objective.metric
    usual = [(r.number, scaled(metric, r.values[at])) for r in complete if r.values is not None]
    heights = [height for _, height in usual if height is not None]
    always = [min(heights, key=lambda height: objective.sign() * height)] if heights else []
    chosen = outcome.chosen
    if chosen is not None and chosen.values is not None:
        always.append(scaled(metric, chosen.values[at]) or 0.0)
    return AxisValues(usual, always, metric.endswith("accuracy"))


def objective_history(
    records: list[TrialRecord],
    outcome: Outcome,
    objectives: tuple[Objective, ...],
    at: int,
    constraints: tuple[Constraint, ...] = (),
) -> Figure:
    """One objective over the trials, with the best so far in it alone, of the trials that keep the constraints."""
    objective = objectives[at]
    complete = completed(records)
    best: list[float | None] = []
    for record in complete:
        before, value = best[-1] if best else None, (record.values or ())[at]
        if not front_of([record], objectives, constraints):
            best.append(before)
        else:
            best.append(value if before is None else min(before, value, key=lambda v: objective.sign() * v))
    some = thinned(complete, MOST_POINTS)
    heights = [scaled(objective.metric, r.values[at]) for r in some if r.values]
    drawn = _corners(best) if len(best) > _WITH_MARKERS else list(range(len(best)))
    traces = [trial_markers("trials", "trials", [r.number for r in some], heights, some)]
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "best so far in this objective",
            "x": [complete[i].number for i in drawn],
            "y": [scaled(objective.metric, best[i]) for i in drawn],
            "line": {"shape": "hv", "color": "--front", "width": 2},
            "hoverinfo": "skip",
        }
    )
    chosen = outcome.chosen
    if chosen is not None and chosen.values is not None:
        height = scaled(objective.metric, chosen.values[at])
        traces.append(trial_markers("chosen", "chosen", [chosen.number], [height], [chosen]))
    last = max(record.number for record in complete)
    figure = assembled(traces, count_axis("trial", last), metric_axis(objective.metric))
    return with_first_view(figure, {"yaxis": objective_values(complete, outcome, objective, at)})
