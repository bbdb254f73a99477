"""The report's figures of the front: one for two objectives; for three, coloured by the third, and a cut at depth."""

import html
from collections.abc import Sequence
from typing import Any

from tuning.config.objectives import DEPTH, Objective
from tuning.config.study import StudyConfig
from tuning.study.outcome import Outcome
from tuning.trials.depth import is_judged_by_depth
from tuning.trials.limits import Limits
from tuning.trials.records import TrialRecord
from tuning.views.report.drawing import Figure, assembled, formatted, hover, label, markers, metric_axis, short
from tuning.views.report.figures import pareto
from tuning.views.report.planes import Mark, Plane, depth_plane, trade_off_plane

_ONE = "The study has a single objective, so there is no trade-off to plot; see the optimisation history."
_SYMBOLS = {"original": "square", "mask": "diamond", "untrained": "cross"}
_ABOVE = ("mask", "untrained")


def front_figures(
    records: list[TrialRecord], outcome: Outcome, config: StudyConfig
) -> tuple[list[tuple[str, Figure]], list[str]]:
    """Titled figures of a study that has a completed trial, and what is to be said of them."""
    objectives = config.objectives
    if len(objectives) < 2:
        return [], [_ONE]
    if len(objectives) == 2:
        return [("", pareto(records, outcome, objectives))], []
    whole, cut = trade_off_plane(records, outcome, config), depth_plane(records, outcome, config)
    figures = [(plane_title(plane), _drawn(plane, objectives)) for plane in (whole, cut) if plane is not None]
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
        notes.append(f"{some} the constraint {limit}, and may lie outside of what is plotted first.")
    return notes


def _drawn(plane: Plane, objectives: tuple[Objective, ...]) -> Figure:
    scale = {} if plane.colour is None else _colours(plane.colour, (*plane.others, *plane.front))

    def points(role: str, name: str, some: Sequence[TrialRecord]) -> Figure:
        places = [plane.place(record.metrics) for record in some]
        texts = [hover(record, objectives) for record in some]
        trace = markers(role, name, [x for x, _ in places], [y for _, y in places], texts)
        if plane.colour is not None and role in ("trials", "front"):
            values = [record.metrics[plane.colour] for record in some]
            outline = {"width": 2, "color": "--text"} if role == "front" else {"width": 1, "color": "--axis"}
            look = {"color": list(map(short, values)), "opacity": 1, "line": outline, "showscale": role == "front"}
            trace["marker"] = trace["marker"] | look | scale
        return trace

    traces = []
    if plane.infeasible:
        traces.append(points("infeasible", "breaks a constraint", plane.infeasible))
    traces += [points("trials", "other trials", plane.others), points("front", "Pareto front", plane.front)]
    if plane.best:
        line = [plane.place(record.metrics) for record in plane.best]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "best of these",
                "x": [x for x, _ in line],
                "y": [y for _, y in line],
                "line": {"shape": "hv", "color": "--front", "width": 2},
                "hoverinfo": "skip",
            }
        )
    traces += [_mark(mark, plane, objectives) for mark in plane.marks]
    if plane.start is not None:
        traces.append(points("start", html.escape(plane.start.origin), [plane.start]))
    if plane.chosen is not None:
        traces.append(points("chosen", f"chosen: trial {plane.chosen.number}", [plane.chosen]))
    figure = assembled(traces, metric_axis(plane.across), metric_axis(plane.up), height=520)
    if plane.window is not None:
        first = {
            f"{axis}axis": [short(low), short(high)] for axis, (low, high) in zip("xy", plane.window, strict=True)
        }
        for axis, span in first.items():
            figure["layout"][axis] |= {"range": span}
        close: dict[str, Any] = {f"{axis}.range": span for axis, span in first.items()}
        whole = {f"{axis}.autorange": True for axis in first}
        name = "Trials that keep the constraints" if plane.infeasible else "Around the trials"
        figure["views"] = [{"label": name, "change": close}, {"label": "Everything", "change": whole}]
    return figure


def _mark(mark: Mark, plane: Plane, objectives: tuple[Objective, ...]) -> Figure:
    name = html.escape(mark.name)
    x, y = plane.place(mark.metrics)
    lines = [
        f"{label(o.metric)}: {formatted(o.metric, mark.metrics[o.metric])}"
        for o in objectives
        if o.metric in mark.metrics
    ]
    return markers("original", name, [x], [y], ["<br>".join([f"<b>{name}</b>", *lines])]) | {
        "mode": "markers+text",
        "text": [name],
        "textposition": "top center" if mark.name in _ABOVE else "bottom center",
        "textfont": {"color": "--text"},
        "marker": {"symbol": _SYMBOLS.get(mark.name, "hexagon"), "size": 12, "color": "--text"},
        "showlegend": False,
        "cliponaxis": True,
    }


def _colours(metric: str, some: Sequence[TrialRecord]) -> dict[str, Any]:
    """The scale of a metric's colours; that of depth has the mask and an untrained network at its ends."""
    values = [record.metrics[metric] for record in some] or [0.0]
    low, high = (0.0, 1.0) if metric == DEPTH else (min(values), max(values))
    ends = {"cmin": short(low), "cmax": short(high)}
    bar = {"title": {"text": label(metric), "side": "right"}, "thickness": 12, "outlinewidth": 0}
    return {"colorscale": "Viridis", "colorbar": bar, **ends}
