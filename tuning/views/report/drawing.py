"""What the report's figures are made of: words for metrics, hover texts, axes and traces.

Colours are names such as `--front`; the page puts in the value for its light or dark scheme.
"""

import html
import math
from typing import Any

from tuning.config.objectives import DEPTH, Objective
from tuning.study.outcome import Outcome
from tuning.trials.records import TrialRecord

Figure = dict[str, Any]
Line = tuple[list[Any], list[Any], str]

_ROLES = {
    "trials": {"symbol": "circle", "size": 7, "opacity": 0.55, "color": "--other"},
    "infeasible": {"symbol": "x-thin", "size": 7, "opacity": 0.5, "line": {"width": 1.5, "color": "--other"}},
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


def label(metric: str) -> str:
    """A metric's name as words; those of the probe are known by their names alone."""
    part, _, name = metric.partition("/")
    return f"{part} {name}" if name.startswith("probe_") else metric.replace("/", " ").replace("_", " ")


def scaled(metric: str, value: float | None) -> float | None:
    """The value as drawn: accuracies in percent; None for what is missing or not finite."""
    if value is None or not math.isfinite(value):
        return None
    return short(100 * value if metric.endswith("accuracy") else value)


def formatted(name: str, value: Any) -> str:
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
        f"{label(o.metric)}: {formatted(o.metric, value)}{counted(record, o.metric)}"
        for o, value in zip(objectives, values, strict=False)
    ]
    lines += [f"{html.escape(name)} = {html.escape(formatted('', value))}" for name, value in record.params.items()]
    return "<br>".join(lines)


def completed(records: list[TrialRecord]) -> list[TrialRecord]:
    """The trials that have values."""
    return [record for record in records if record.state == "COMPLETE" and record.values is not None]


def grouped_lines(lines: list[tuple[TrialRecord, Line]], outcome: Outcome, hoverinfo: str = "text") -> list[Figure]:
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


def markers(role: str, name: str, xs: list[Any], ys: list[Any], texts: list[str]) -> Figure:
    """A trace of points in the look of a role, such as `front`."""
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


def assembled(traces: list[Figure], across: dict[str, Any], up: dict[str, Any], height: int = 360) -> Figure:
    """A figure of traces and two axes; `height` in pixels."""
    layout = {
        "height": height,
        "margin": {"l": 64, "r": 16, "t": 24, "b": 52},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "closest",
        "xaxis": across,
        "yaxis": up,
    }
    return {"data": traces, "layout": layout}


def metric_axis(metric: str) -> dict[str, Any]:
    """An axis for a metric: accuracies in percent."""
    title = f"{label(metric)} (lower is deeper)" if metric == DEPTH else label(metric)
    axis: dict[str, Any] = {"title": {"text": title}, "zeroline": False, "automargin": True}
    return axis | ({"ticksuffix": " %"} if metric.endswith("accuracy") else {})


def count_axis(title: str) -> dict[str, Any]:
    """An axis of whole numbers."""
    return {"title": {"text": title}, "tickformat": "d", "zeroline": False}


def seconds_axis() -> dict[str, Any]:
    """An axis of the time since the first trial began."""
    return {"title": {"text": "seconds since the first trial started"}, "rangemode": "tozero", "zeroline": False}


def short(value: float) -> float:
    """The value with six digits, which keeps the page small."""
    return float(f"{value:.6g}")
