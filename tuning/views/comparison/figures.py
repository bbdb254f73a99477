"""Several studies in one figure: their fronts, and the hypervolume over their trials."""

import html
from collections.abc import Sequence
from typing import Any

from tuning.config.objectives import DEPTH, RETAIN
from tuning.trials.records import TrialRecord
from tuning.views.comparison.comparison import ComparedStudy, Comparison
from tuning.views.report.drawing import Figure, assembled, completed, count_axis, label, metric_axis, scaled
from tuning.views.report.first_views import AxisValues, with_first_view
from tuning.views.report.histories import hypervolume_histories
from tuning.views.report.hovers import hover
from tuning.views.report.sections import Section
from tuning.views.report.thinning import MOST_POINTS, thinned

_COLOURS = tuple(f"--line-{place}" for place in range(6))
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "hexagon")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def front_figures(comparison: Comparison) -> Section:
    """The fronts by two objectives, and by depth and retain accuracy where all studies search for depth."""
    metrics = [objective.metric for objective in comparison.objectives]
    flat = [metric for metric in metrics if metric != DEPTH][:2]
    planes = [(flat[0], flat[1])] if len(flat) == 2 else []
    planes += [(DEPTH, RETAIN)] if {DEPTH, RETAIN} <= set(metrics) else []
    if not planes:
        return [], ["The studies have fewer than two objectives in common, so there is no figure of their fronts."]
    if not any(each.outcome.front for each in comparison.studies):
        return [], ["No study has a trial on its front yet."]
    titled = [(_title(across, up), _fronts(comparison, across, up)) for across, up in planes]
    return titled, ["The larger symbols with an outline are the chosen trials."]


def hypervolume_figures(comparison: Comparison) -> Section:
    """The hypervolume over finished trials; nothing where the studies do not compare."""
    if comparison.hypervolumes is None:
        why = "compare, see above" if comparison.differences else "have the same objectives"
        return [], [f"The studies do not {why}, so there is no common hypervolume."]
    traces, last = [], 1
    for at, each in enumerate(comparison.studies):
        if not completed(each.study.records()):
            continue
        config = each.study.config
        over_trials, _ = hypervolume_histories(
            each.study.records(), comparison.objectives, comparison.reference, config.constraints
        )
        (steps,) = over_trials["data"]
        name = html.escape(each.name)
        look = {"color": _colour(at), "width": 2.5, "dash": _DASHES[at % len(_DASHES)], "shape": "hv"}
        traces.append(
            steps
            | {
                "name": name,
                "line": look,
                "marker": {"color": _colour(at), "size": 6, "symbol": _SYMBOLS[at % len(_SYMBOLS)]},
                "hovertext": [f"<b>{name}</b><br>{text}" for text in steps["hovertext"]],
                "showlegend": True,
            }
        )
        last = max(last, *steps["x"])
    if not traces:
        return [], ["No trial has finished yet."]
    up = {"title": {"text": "hypervolume"}, "rangemode": "tozero"}
    return [("", assembled(traces, count_axis("finished trials", last), up, height=420))], []


def _title(across: str, up: str) -> str:
    over, of = (label(metric).removeprefix("validation ") for metric in (across, up))
    return f"{of.capitalize()} and {over}"


def _fronts(comparison: Comparison, across: str, up: str) -> Figure:
    traces = []
    chosen: tuple[list[float | None], list[float | None]] = ([], [])
    points: tuple[list[tuple[int, float | None]], list[tuple[int, float | None]]] = ([], [])
    for at, each in enumerate(comparison.studies):
        front = thinned(each.outcome.front, MOST_POINTS)
        traces.append(_points(each, front, (across, up), _look(at, chosen=False)))
        for axis, metric in enumerate((across, up)):
            points[axis].extend((record.number, scaled(metric, record.metrics.get(metric))) for record in front)
        if each.outcome.chosen is not None:
            record = each.outcome.chosen
            traces.append(_points(each, [record], (across, up), _look(at, chosen=True)) | {"showlegend": False})
            for axis, metric in enumerate((across, up)):
                chosen[axis].append(scaled(metric, record.metrics.get(metric)))
    figure = assembled(traces, metric_axis(across), metric_axis(up), height=480)
    axes = {
        f"{axis}axis": AxisValues(points[i], chosen[i], metric.endswith("accuracy"))
        for i, (axis, metric) in enumerate(zip("xy", (across, up), strict=True))
    }
    return with_first_view(figure, axes)


def _points(
    each: ComparedStudy, records: Sequence[TrialRecord], axes: tuple[str, str], look: dict[str, Any]
) -> Figure:
    name, objectives = html.escape(each.name), each.study.config.objectives
    xs, ys = ([scaled(metric, record.metrics.get(metric)) for record in records] for metric in axes)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": xs,
        "y": ys,
        "hovertext": [f"<b>{name}</b><br>" + hover(record, objectives).replace("\n", "<br>") for record in records],
        "hoverinfo": "text",
        "marker": look,
        "legendgroup": name,
        "cliponaxis": False,
    }


def _look(at: int, *, chosen: bool) -> dict[str, Any]:
    look = {"symbol": _SYMBOLS[at % len(_SYMBOLS)], "size": 17 if chosen else 8, "color": _colour(at)}
    return look | ({"line": {"width": 2.5, "color": "--text"}} if chosen else {"opacity": 0.75})


def _colour(at: int) -> str:
    return _COLOURS[at % len(_COLOURS)]
