"""Figures of the report: pure functions from trial records to Plotly figures as plain dictionaries."""

import html
from collections.abc import Iterable
from typing import Any

from tuning.config.objectives import Constraint, Objective, minimised_point
from tuning.study.outcome import Outcome
from tuning.trials.front import front_of, minimised
from tuning.trials.pareto import Point, dominates, hypervolume
from tuning.trials.records import TrialRecord
from tuning.views.report.drawing import (
    Figure,
    Line,
    assembled,
    completed,
    count_axis,
    formatted,
    grouped_lines,
    hover,
    label,
    markers,
    metric_axis,
    scaled,
    seconds_axis,
    short,
)


def pareto(records: list[TrialRecord], outcome: Outcome, objectives: tuple[Objective, ...]) -> Figure:
    """Completed trials in the plane of two objectives."""
    across, up = objectives

    def points(chosen: Iterable[TrialRecord]) -> tuple[list[Any], list[Any], list[str]]:
        some = list(chosen)
        return (
            [scaled(across.metric, r.values[0]) for r in some if r.values],
            [scaled(up.metric, r.values[1]) for r in some if r.values],
            [hover(r, objectives) for r in some if r.values],
        )

    front = {r.number for r in outcome.front}
    traces = [markers("trials", "other trials", *points(r for r in completed(records) if r.number not in front))]
    traces.append(markers("front", "Pareto front", *points(outcome.front)))
    traces[-1] |= {"mode": "lines+markers", "line": {"shape": "hv", "color": "--front", "width": 2}}
    if across.metric in outcome.original and up.metric in outcome.original:
        place = [scaled(o.metric, outcome.original[o.metric]) for o in (across, up)]
        lines = [f"{label(o.metric)}: {formatted(o.metric, outcome.original[o.metric])}" for o in objectives]
        text = "<br>".join(["<b>original model</b>", *lines])
        traces.append(markers("original", "original model", [place[0]], [place[1]], [text]))
    if outcome.published is not None:
        traces.append(markers("start", html.escape(outcome.published.origin), *points([outcome.published])))
    if outcome.chosen is not None:
        traces.append(markers("chosen", f"chosen: trial {outcome.chosen.number}", *points([outcome.chosen])))
    figure = assembled(traces, metric_axis(across.metric), metric_axis(up.metric), height=520)
    close = _around(traces[1])
    if close is not None:
        whole: dict[str, Any] = {"xaxis.autorange": True, "yaxis.autorange": True}
        figure["views"] = [{"label": "All trials", "change": whole}, {"label": "Around the front", "change": close}]
    return figure


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
    up = {"title": {"text": "hypervolume"}, "rangemode": "tozero", "automargin": True}
    texts = [f"after trial {r.number}: {v:.5f}" for r, v in zip(finished, volumes, strict=True)]
    return (
        assembled([_steps(list(range(1, len(volumes) + 1)), volumes, texts)], count_axis("finished trials"), up),
        assembled([_steps(seconds, volumes, texts)], seconds_axis(), up),
    )


def _steps(xs: list[Any], volumes: list[float], texts: list[str]) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(volumes) < 60 else "lines",
        "x": xs,
        "y": [short(volume) for volume in volumes],
        "hovertext": texts,
        "hoverinfo": "text",
        "line": {"shape": "hv", "color": "--front", "width": 2},
        "marker": {"size": 5, "color": "--front"},
        "showlegend": False,
    }


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
    numbers = [r.number for r in complete]
    values = [r.values[at] for r in complete if r.values]
    best: list[float | None] = []
    for record, value in zip(complete, values, strict=True):
        before = best[-1] if best else None
        if not front_of([record], objectives, constraints):
            best.append(before)
        else:
            best.append(value if before is None else min(before, value, key=lambda v: objective.sign() * v))
    ys = [scaled(objective.metric, value) for value in values]
    traces = [markers("trials", "trials", numbers, ys, [hover(r, objectives) for r in complete])]
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "best so far in this objective",
            "x": numbers,
            "y": [scaled(objective.metric, value) for value in best],
            "line": {"shape": "hv", "color": "--front", "width": 2},
            "hoverinfo": "skip",
        }
    )
    if outcome.chosen is not None and outcome.chosen.values is not None:
        place = scaled(objective.metric, outcome.chosen.values[at])
        text = [hover(outcome.chosen, objectives)]
        traces.append(markers("chosen", "chosen", [outcome.chosen.number], [place], text))
    return assembled(traces, count_axis("trial"), metric_axis(objective.metric))


def importance_bars(importances: dict[str, float]) -> Figure:
    """Bars of parameter importance, the most important on top."""
    names = sorted(importances, key=lambda name: (importances[name], name))
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [short(100 * importances[name]) for name in names],
        "y": [html.escape(name) for name in names],
        "text": [f"{100 * importances[name]:.1f} %" for name in names],
        "textposition": "outside",
        "cliponaxis": False,
        "marker": {"color": "--front"},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    across = {
        "title": {"text": "share of importance"},
        "ticksuffix": " %",
        "range": [0, 115],
        "tickvals": [0, 25, 50, 75, 100],
    }
    return assembled([trace], across, {"automargin": True, "type": "category"}, height=90 + 26 * len(names))


def curves(records: list[TrialRecord], outcome: Outcome, metric: str) -> Figure:
    """One metric of every trial over the epochs, a line a replicate, from the original model at epoch 0."""
    lines: list[tuple[TrialRecord, Line]] = []
    before = outcome.original.get(metric)
    for record in records:
        for replicate in sorted({step.replicate for step in record.steps}):
            steps = [step for step in record.steps if step.replicate == replicate]
            ys = [scaled(metric, step.metrics.get(metric)) for step in steps]
            xs = list(range(1, len(ys) + 1))
            if before is not None:
                xs, ys = [0, *xs], [scaled(metric, before), *ys]
            lines.append((record, (xs, ys, f"trial {record.number}")))
    last = max((len(xs) for _, (xs, _, _) in lines), default=1) - (before is not None)
    across = count_axis("epoch") | {"range": [-0.1 if before is not None else 0.9, last + 0.1]}
    return assembled(grouped_lines(lines, outcome, "text+y"), across, metric_axis(metric), height=420)


def _around(front: Figure) -> dict[str, Any] | None:
    """A change of the axes that shows the front with some room about it; None for an empty front."""
    if not front["x"]:
        return None
    change = {}
    for axis in ("x", "y"):
        low, high = min(front[axis]), max(front[axis])
        room = 0.15 * (high - low) or 0.5
        change[f"{axis}axis.range"] = [short(low - room), short(high + room)]
    return change
