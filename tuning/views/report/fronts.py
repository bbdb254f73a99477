"""The report's figures of the front: one for two objectives; for three, coloured by the third, and a cut at depth."""

import html
from collections.abc import Sequence
from typing import Any

from tuning.config.objectives import Objective
from tuning.config.study import StudyConfig
from tuning.study.outcome import Outcome
from tuning.trials.depth import is_judged_by_depth
from tuning.trials.limits import Limits
from tuning.trials.records import TrialRecord
from tuning.views.report.drawing import (
    Figure,
    assembled,
    label,
    markers,
    metric_axis,
    scaled,
    short,
    standard_error,
    trial_markers,
)
from tuning.views.report.first_views import EVERYTHING
from tuning.views.report.hovers import mark_hover
from tuning.views.report.planes import Mark, Plane, depth_plane, trade_off_plane
from tuning.views.report.thinning import MOST_POINTS, thinned, thinning_note
from tuning.views.report.windows import Range, Window

_ONE = "The study has a single objective, so there is no trade-off to plot; see the optimisation history."
_SYMBOLS = {"original": "square", "mask": "diamond", "untrained": "cross"}
_ABOVE = ("mask", "untrained")
_WITH_BARS = {"front": "--front", "start": "--start", "chosen": "--chosen"}
_EDGE = 0.15


def front_figures(
    records: list[TrialRecord], outcome: Outcome, config: StudyConfig
) -> tuple[list[tuple[str, Figure]], list[str]]:
    """Titled figures of a study that has a completed trial, and what is to be said of them."""
    if len(config.objectives) < 2:
        return [], [_ONE]
    whole, cut = trade_off_plane(records, outcome, config), depth_plane(records, outcome, config)
    planes = [plane for plane in (whole, cut) if plane is not None]
    titles = [""] if len(config.objectives) == 2 and cut is None else [plane_title(plane) for plane in planes]
    figures = [
        (title, _drawn(plane, outcome.original_counts, config.objectives))
        for title, plane in zip(titles, planes, strict=True)
    ]
    return figures, _notes(whole, cut, outcome, config)


def plane_title(plane: Plane) -> str:
    """What a figure shows."""
    across, up, colour = (
        label(each or "").removeprefix("validation ") for each in (plane.across, plane.up, plane.colour)
    )
    if plane.colour is None:
        return f"Trials that forget: {across} and {up}"
    return f"{across.capitalize()} and {up}, coloured by {colour}"


def _notes(whole: Plane, cut: Plane | None, outcome: Outcome, config: StudyConfig) -> list[str]:
    notes = ["Only three of the objectives are plotted."] if len(config.objectives) > 3 else []
    if is_judged_by_depth(config):
        limits = Limits(config.selection, outcome.original, by_samples=config.by_samples)
        if cut is None:
            notes.append(f"No trial has {limits.forgotten}, so there is no figure of those that forget.")
        else:
            notes.append(f"The trials that forget have {limits.forgotten}.")
    if whole.infeasible:
        limit = " and ".join(map(str, config.constraints))
        some = "1 trial breaks" if len(whole.infeasible) == 1 else f"{len(whole.infeasible)} trials break"
        notes.append(f"{some} the constraint {limit}.")
    outside = max(plane.outside for plane in (whole, cut) if plane is not None)
    if outside:
        some = "1 trial lies" if outside == 1 else f"{outside} trials lie"
        notes.append(f"{some} outside of what is plotted first; the button “{EVERYTHING}” shows all.")
    if config.replicates > 1:
        notes.append("Error bars are one standard error over the replicates of a trial.")
    return notes + thinning_note(max(len(whole.others), len(whole.infeasible)), MOST_POINTS)


def _drawn(plane: Plane, counts: dict[str, int], objectives: tuple[Objective, ...]) -> Figure:
    scale = {} if plane.colour is None else _colours(plane.colour, plane.colour_range)

    def points(role: str, name: str, some: Sequence[TrialRecord]) -> Figure:
        places = [plane.place(record.metrics) for record in some]
        trace = trial_markers(role, name, [x for x, _ in places], [y for _, y in places], some)
        if role in _WITH_BARS:
            for axis, metric in (("error_x", plane.across), ("error_y", plane.up)):
                trace |= _error_bars(axis, [standard_error(record, metric) for record in some], _WITH_BARS[role])
        if plane.colour is not None and role in ("trials", "front"):
            values = [scaled(plane.colour, record.metrics[plane.colour]) for record in some]
            outline = {"width": 2, "color": "--text"} if role == "front" else {"width": 1, "color": "--axis"}
            look = {"color": values, "opacity": 1, "line": outline, "showscale": role == "front"}
            trace["marker"] = trace["marker"] | look | scale
        return trace

    traces = []
    if plane.infeasible:
        traces.append(points("infeasible", "breaks a constraint", thinned(plane.infeasible, MOST_POINTS)))
    traces.append(points("trials", "other trials", thinned(plane.others, MOST_POINTS)))
    traces.append(points("front", "Pareto front", plane.front))
    if plane.best:
        traces.append(_best_line(plane))
    traces += [_mark(mark, plane, counts, objectives) for mark in plane.marks]
    if plane.start is not None:
        traces.append(points("start", html.escape(plane.start.origin), [plane.start]))
    if plane.chosen is not None:
        traces.append(points("chosen", f"chosen: trial {plane.chosen.number}", [plane.chosen]))
    figure = assembled(traces, metric_axis(plane.across), metric_axis(plane.up), height=520)
    if plane.window is not None and plane.closest is not None:
        first = _ranges(plane.window)
        for axis in "xy":
            figure["layout"][f"{axis}axis"] |= {"range": first[f"{axis}axis.range"]}
        figure["views"] = [
            {"label": "Around the front", "change": first},
            {"label": "The front alone", "change": _ranges(plane.closest)},
            {"label": EVERYTHING, "change": {f"{axis}axis.autorange": True for axis in "xy"}},
        ]
    return figure


def _ranges(window: Window) -> dict[str, Any]:
    return {f"{axis}axis.range": [short(low), short(high)] for axis, (low, high) in zip("xy", window, strict=True)}


def _error_bars(axis: str, errors: list[float | None], colour: str) -> Figure:
    if not any(errors):
        return {}
    look = {"type": "data", "array": [error or 0 for error in errors], "thickness": 1, "width": 3, "color": colour}
    return {axis: look}


def _best_line(plane: Plane) -> Figure:
    """Through those that are best in the two metrics; the legend leaves it out where they are the front itself."""
    places = [plane.place(record.metrics) for record in plane.best]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "best of these",
        "x": [x for x, _ in places],
        "y": [y for _, y in places],
        "line": {"shape": "hv", "color": "--front", "width": 2},
        "hoverinfo": "skip",
        "showlegend": {r.number for r in plane.best} != {r.number for r in plane.front},
    }


def _mark(mark: Mark, plane: Plane, counts: dict[str, int], objectives: tuple[Objective, ...]) -> Figure:
    name = html.escape(mark.name)
    x, y = plane.place(mark.metrics)
    return markers("original", name, [x], [y], [mark_hover(name, mark.metrics, counts, objectives)]) | {
        "mode": "markers+text",
        "text": [name],
        "textposition": f"{'top' if mark.name in _ABOVE else 'bottom'} {_side(x, plane.window)}",
        "textfont": {"color": "--text"},
        "marker": {"symbol": _SYMBOLS.get(mark.name, "hexagon"), "size": 12, "color": "--text"},
        "showlegend": False,
    }


def _side(x: float, window: Window | None) -> str:
    """Where a name stands beside its mark, so that it does not run over the edge."""
    (left, right) = window[0] if window is not None else (x - 1, x + 1)
    place = (x - left) / (right - left)
    return "right" if place < _EDGE else "left" if place > 1 - _EDGE else "center"


def _colours(metric: str, ends_at: Range) -> dict[str, Any]:
    """The scale of a metric's colours."""
    low, high = ends_at
    ends = {"cmin": short(low), "cmax": short(high)}
    bar: dict[str, Any] = {"title": {"text": label(metric), "side": "right"}, "thickness": 12, "outlinewidth": 0}
    bar |= {"ticksuffix": " %"} if metric.endswith("accuracy") else {}
    return {"colorscale": "Viridis", "colorbar": bar, **ends}
