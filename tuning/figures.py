"""Figures of the report: pure functions from trial records to Plotly figures as plain dictionaries.

Colours are names such as `--front`; the page puts in the value for its light or dark scheme.
"""

import html
import math
from collections.abc import Iterable
from typing import Any

from search_spaces import ChoiceParameter, SearchSpace
from tuning.config import Objective
from tuning.outcome import Outcome, minimised, minimised_point
from tuning.pareto import Point, dominates, hypervolume
from tuning.records import TrialRecord

Figure = dict[str, Any]
Line = tuple[list[Any], list[Any], str]

_ROLES = {
    "trials": {"symbol": "circle", "size": 7, "opacity": 0.55, "color": "--other"},
    "front": {"symbol": "circle", "size": 9, "color": "--front"},
    "start": {"symbol": "diamond-open", "size": 15, "color": "--start", "line": {"width": 3, "color": "--start"}},
    "original": {"symbol": "square", "size": 11, "color": "--text"},
    "chosen": {"symbol": "star", "size": 17, "color": "--chosen", "line": {"width": 1, "color": "--page"}},
}
_STROKES = {
    "trials": {"width": 1, "color": "--faint"},
    "front": {"width": 1.5, "color": "--front"},
    "start": {"width": 3, "color": "--start", "dash": "dash"},
    "chosen": {"width": 4, "color": "--chosen"},
}


def pareto(records: list[TrialRecord], outcome: Outcome, objectives: tuple[Objective, ...]) -> Figure:
    """Completed trials in the plane of the first two objectives; needs at least two."""
    across, up = objectives[:2]

    def points(chosen: Iterable[TrialRecord]) -> tuple[list[Any], list[Any], list[str]]:
        some = list(chosen)
        return (
            [scaled(across.metric, r.values[0]) for r in some if r.values],
            [scaled(up.metric, r.values[1]) for r in some if r.values],
            [hover(r, objectives) for r in some if r.values],
        )

    front = {r.number for r in outcome.front}
    traces = [_markers("trials", "other trials", *points(r for r in _complete(records) if r.number not in front))]
    traces.append(_markers("front", "Pareto front", *points(outcome.front)))
    if len(objectives) == 2:
        traces[-1] |= {"mode": "lines+markers", "line": {"shape": "hv", "color": "--front", "width": 2}}
    if across.metric in outcome.original and up.metric in outcome.original:
        place = [scaled(o.metric, outcome.original[o.metric]) for o in (across, up)]
        lines = [f"{label(o.metric)}: {shown(o.metric, outcome.original[o.metric])}" for o in objectives]
        text = "<br>".join(["<b>original model</b>", *lines])
        traces.append(_markers("original", "original model", [place[0]], [place[1]], [text]))
    if outcome.published is not None:
        traces.append(_markers("start", html.escape(outcome.published.origin), *points([outcome.published])))
    if outcome.chosen is not None:
        traces.append(_markers("chosen", f"chosen: trial {outcome.chosen.number}", *points([outcome.chosen])))
    figure = _figure(traces, _axis(across.metric), _axis(up.metric), height=520)
    close = _around(traces[1])
    if close is not None:
        whole: dict[str, Any] = {"xaxis.autorange": True, "yaxis.autorange": True}
        figure["views"] = [{"label": "All trials", "change": whole}, {"label": "Around the front", "change": close}]
    return figure


def hypervolume_history(
    records: list[TrialRecord], objectives: tuple[Objective, ...], reference: tuple[float, ...]
) -> Figure:
    """Hypervolume of the front after each finished trial, in order of finishing; for up to two objectives."""
    corner = minimised_point(reference, objectives)
    front: list[Point] = []
    volumes: list[float] = []
    finished = sorted(_complete(records), key=lambda r: (r.finished_ms or 0, r.number))
    for record in finished:
        point = minimised(record, objectives)
        if point not in front and not any(dominates(other, point) for other in front):
            front = [other for other in front if not dominates(point, other)] + [point]
            volumes.append(hypervolume(front, corner))
        else:
            volumes.append(volumes[-1])
    trace = {
        "type": "scatter",
        "mode": "lines+markers" if len(volumes) < 60 else "lines",
        "x": list(range(1, len(volumes) + 1)),
        "y": [_short(volume) for volume in volumes],
        "hovertext": [f"after trial {r.number}: {v:.5f}" for r, v in zip(finished, volumes, strict=True)],
        "hoverinfo": "text",
        "line": {"shape": "hv", "color": "--front", "width": 2},
        "marker": {"size": 5, "color": "--front"},
        "showlegend": False,
    }
    return _figure([trace], _count_axis("finished trials"), {"title": {"text": "hypervolume"}, "rangemode": "tozero"})


def objective_history(
    records: list[TrialRecord], outcome: Outcome, objectives: tuple[Objective, ...], at: int
) -> Figure:
    """One objective over the trials, with the best value so far in this objective alone."""
    objective = objectives[at]
    complete = _complete(records)
    numbers = [r.number for r in complete]
    values = [r.values[at] for r in complete if r.values]
    best: list[float] = []
    for value in values:
        best.append(value if not best else min(best[-1], value, key=lambda v: objective.sign() * v))
    ys = [scaled(objective.metric, value) for value in values]
    traces = [_markers("trials", "trials", numbers, ys, [hover(r, objectives) for r in complete])]
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "best so far in this alone",
            "x": numbers,
            "y": [scaled(objective.metric, value) for value in best],
            "line": {"shape": "hv", "color": "--front", "width": 2},
            "hoverinfo": "skip",
        }
    )
    if outcome.chosen is not None and outcome.chosen.values is not None:
        place = scaled(objective.metric, outcome.chosen.values[at])
        text = [hover(outcome.chosen, objectives)]
        traces.append(_markers("chosen", "chosen", [outcome.chosen.number], [place], text))
    return _figure(traces, _count_axis("trial"), _axis(objective.metric))


def importance_bars(importances: dict[str, float]) -> Figure:
    """Bars of parameter importance, the most important on top."""
    names = sorted(importances, key=lambda name: (importances[name], name))
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [_short(100 * importances[name]) for name in names],
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
    return _figure([trace], across, {"automargin": True, "type": "category"}, height=90 + 26 * len(names))


def parallel(
    records: list[TrialRecord], outcome: Outcome, objectives: tuple[Objective, ...], space: SearchSpace
) -> Figure:
    """One line a completed trial: parameters over their search range, objectives over the values found."""
    complete = _complete(records)
    names = list(space.parameters) + [objective.metric for objective in objectives]
    heights: list[list[float | None]] = []
    labels: list[tuple[int, float, str]] = []
    for column, name in enumerate(names):
        parameter = space.parameters.get(name)
        if isinstance(parameter, ChoiceParameter):
            top = len(parameter.choices) - 1
            heights.append([_choice_height(parameter, r.params.get(name)) for r in complete])
            labels += [(column, i / top, html.escape(str(c))) for i, c in enumerate(parameter.choices)]
            continue
        values = [r.metrics.get(name) if parameter is None else r.params.get(name) for r in complete]
        low = min((v for v in values if v is not None), default=0.0) if parameter is None else parameter.low
        high = max((v for v in values if v is not None), default=1.0) if parameter is None else parameter.high
        log = parameter is not None and parameter.log
        heights.append([_height(v, low, high, log) for v in values])
        labels += [(column, 0.0, shown(name, low)), (column, 1.0, shown(name, high))]
    lines = [
        (r, (list(range(len(names))), [column[row] for column in heights], f"trial {r.number}"))
        for row, r in enumerate(complete)
    ]
    traces = _grouped(lines, outcome)
    traces.append(
        {
            "type": "scatter",
            "mode": "text",
            "x": [column for column, _, _ in labels],
            "y": [height + (-0.04 if height == 0 else 0.04) for _, height, _ in labels],
            "text": [text for _, _, text in labels],
            "textfont": {"size": 11, "color": "--text"},
            "hoverinfo": "skip",
            "showlegend": False,
            "cliponaxis": False,
        }
    )
    across = {
        "tickvals": list(range(len(names))),
        "ticktext": [
            _two_lines(name) if name in space.parameters else label(name).replace(" ", "<br>") for name in names
        ],
        "range": [-0.4, len(names) - 0.6],
        "showgrid": True,
        "gridcolor": "--axis",
        "zeroline": False,
        "tickangle": 0,
        "automargin": True,
    }
    up = {"range": [-0.09, 1.09], "visible": False}
    return _figure(traces, across, up, height=460) | {"least_width": 88 * len(names)}


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
    across = _count_axis("epoch") | {"range": [-0.1 if before is not None else 0.9, last + 0.1]}
    return _figure(_grouped(lines, outcome, "text+y"), across, _axis(metric), height=420)


def label(metric: str) -> str:
    """A metric's name as words."""
    return metric.replace("/", " ").replace("_", " ")


def scaled(metric: str, value: float | None) -> float | None:
    """The value as drawn: accuracies in percent; None for what is missing or not finite."""
    if value is None or not math.isfinite(value):
        return None
    return _short(100 * value if metric.endswith("accuracy") else value)


def shown(name: str, value: Any) -> str:
    """A metric or a parameter as text: accuracies in percent with one decimal."""
    if name.endswith("accuracy") and isinstance(value, int | float):
        return f"{100 * value:.1f} %"
    if "/" in name and isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def counted(record: TrialRecord, metric: str) -> str:
    """How many images stand behind a metric of a trial: ` of 29 images`; empty where that is not known."""
    part, _, rest = metric.partition("/")
    count = record.counts.get(f"{part}/{rest.partition('_')[0]}")
    return "" if count is None else f" of {count} images"


def hover(record: TrialRecord, objectives: tuple[Objective, ...]) -> str:
    """What is shown beside the pointer; everything from outside is escaped, because Plotly reads tags."""
    values = record.values or ()
    lines = [f"<b>trial {record.number}</b> ({html.escape(record.origin)})"]
    lines += [
        f"{label(o.metric)}: {shown(o.metric, value)}{counted(record, o.metric)}"
        for o, value in zip(objectives, values, strict=False)
    ]
    lines += [f"{html.escape(name)} = {html.escape(shown('', value))}" for name, value in record.params.items()]
    return "<br>".join(lines)


def _complete(records: list[TrialRecord]) -> list[TrialRecord]:
    return [record for record in records if record.state == "COMPLETE" and record.values is not None]


def _grouped(lines: list[tuple[TrialRecord, Line]], outcome: Outcome, hoverinfo: str = "text") -> list[Figure]:
    """Traces of many lines: one trace a role, its lines parted by gaps, the most important role on top."""
    front = {record.number for record in outcome.front}
    chosen = outcome.chosen.number if outcome.chosen is not None else None
    start = outcome.published.number if outcome.published is not None else None
    origin = html.escape(outcome.published.origin) if outcome.published is not None else ""
    names = {"trials": "other trials", "front": "Pareto front", "start": origin, "chosen": f"chosen: trial {chosen}"}
    groups: dict[str, list[Line]] = {role: [] for role in names}
    for record, line in lines:
        role = "front" if record.number in front else "trials"
        role = "start" if record.number == start else role
        groups["chosen" if record.number == chosen else role].append(line)
    return [
        {
            "type": "scatter",
            "mode": "lines+markers" if role == "chosen" else "lines",
            "name": names[role],
            "x": [x for xs, _, _ in group for x in (*xs, None)],
            "y": [y for _, ys, _ in group for y in (*ys, None)],
            "hovertext": [text for xs, _, text in group for text in [text] * (len(xs) + 1)],
            "hoverinfo": hoverinfo,
            "line": _STROKES[role],
            "connectgaps": False,
        }
        for role, group in groups.items()
        if group
    ]


def _markers(role: str, name: str, xs: list[Any], ys: list[Any], texts: list[str]) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": xs,
        "y": ys,
        "hovertext": texts,
        "hoverinfo": "text",
        "marker": _ROLES[role],
    }


def _figure(traces: list[Figure], across: dict[str, Any], up: dict[str, Any], height: int = 360) -> Figure:
    layout = {
        "height": height,
        "margin": {"l": 64, "r": 16, "t": 24, "b": 52},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "closest",
        "xaxis": across,
        "yaxis": up,
    }
    return {"data": traces, "layout": layout}


def _axis(metric: str) -> dict[str, Any]:
    axis: dict[str, Any] = {"title": {"text": label(metric)}, "zeroline": False, "automargin": True}
    return axis | ({"ticksuffix": " %"} if metric.endswith("accuracy") else {})


def _count_axis(title: str) -> dict[str, Any]:
    return {"title": {"text": title}, "tickformat": "d", "zeroline": False}


def _around(front: Figure) -> dict[str, Any] | None:
    """A change of the axes that shows the front with some room about it; None for an empty front."""
    if not front["x"]:
        return None
    change = {}
    for axis in ("x", "y"):
        low, high = min(front[axis]), max(front[axis])
        room = 0.15 * (high - low) or 0.5
        change[f"{axis}axis.range"] = [_short(low - room), _short(high + room)]
    return change


def _height(value: float | None, low: float, high: float, log: bool) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    if low == high:
        return 0.5
    if log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return _short((value - low) / (high - low))


def _choice_height(parameter: ChoiceParameter, value: Any) -> float | None:
    return parameter.choices.index(value) / (len(parameter.choices) - 1) if value in parameter.choices else None


def _two_lines(name: str) -> str:
    """A name broken near its middle, so that neighbouring axes do not run into each other."""
    words = name.replace("_", " ").split()
    if len(words) < 2:
        return html.escape(name)
    cut = min(range(1, len(words)), key=lambda i: abs(len(" ".join(words[:i])) - len(" ".join(words[i:]))))
    glue = "_" if "_" in name else " "
    parts = glue.join(words[:cut]), glue.join(words[cut:])
    return "<br>".join(html.escape(part) for part in parts)


def _short(value: float) -> float:
    return float(f"{value:.6g}")
