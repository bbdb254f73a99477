"""What the report's figures are made of: words for metrics, axes and traces.

Colours are names such as `--front`; the page puts in the value for its light or dark scheme.
"""

import math
from collections.abc import Sequence
from typing import Any

from tuning.config.objectives import DEPTH
from tuning.trials.records import TrialRecord

Figure = dict[str, Any]

_FEW = 12
_ROLES = {
    "trials": {"symbol": "circle", "size": 7, "opacity": 0.55, "color": "--other"},
    "infeasible": {"symbol": "x-thin", "size": 7, "opacity": 0.5, "line": {"width": 1.5, "color": "--other"}},
    "front": {"symbol": "circle", "size": 9, "color": "--front"},
    "start": {"symbol": "diamond-open", "size": 15, "color": "--start", "line": {"width": 3, "color": "--start"}},
    "original": {"symbol": "square", "size": 11, "color": "--text"},
    "chosen": {"symbol": "star", "size": 17, "color": "--chosen", "line": {"width": 1, "color": "--page"}},
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


def standard_error(record: TrialRecord, metric: str) -> float | None:
    """Of the mean over the replicates, as drawn; None for a single replicate, which has none."""
    if len(record.seeds) < 2 or metric not in record.spread:
        return None
    return scaled(metric, record.spread[metric] / math.sqrt(len(record.seeds)))


def completed(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials that have values."""
    return [record for record in records if record.state == "COMPLETE" and record.values is not None]


def trial_markers(
    role: str, name: str, xs: Sequence[Any], ys: Sequence[Any], records: Sequence[TrialRecord]
) -> Figure:
    """A trace of trials in the look of a role, such as `front`; the page shows their texts beside the pointer."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": list(xs),
        "y": list(ys),
        "customdata": [record.number for record in records],
        "hoverinfo": "text",
        "marker": _ROLES[role],
        "cliponaxis": False,
    }


def markers(role: str, name: str, xs: list[Any], ys: list[Any], texts: list[str]) -> Figure:
    """A trace of points that are no trials in the look of a role."""
    trace = trial_markers(role, name, xs, ys, ())
    del trace["customdata"]
    return trace | {"hovertext": texts}


def assembled(traces: list[Figure], across: dict[str, Any], up: dict[str, Any], height: int = 360) -> Figure:
    """A figure of traces and two axes; `height` in pixels."""
    layout = {
        "height": height,
        "margin": {"l": 64, "r": 16, "t": 24, "b": 52},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "closest",
        "xaxis": axis(across),
        "yaxis": axis(up),
    }
    return {"data": traces, "layout": layout}


def axis(details: dict[str, Any]) -> dict[str, Any]:
    """An axis without a zero line; its title keeps clear of the ticks, however long they are."""
    whole: dict[str, Any] = {"zeroline": False, "automargin": True} | details
    return whole | ({"title": {"standoff": 12} | whole["title"]} if "title" in whole else {})


def metric_axis(metric: str) -> dict[str, Any]:
    """An axis for a metric: accuracies in percent, from 0 to 100 at most."""
    words = label(metric)
    details: dict[str, Any] = {"title": {"text": f"{words} (lower is deeper)" if metric == DEPTH else words}}
    if metric.endswith("accuracy"):
        details |= {"ticksuffix": " %", "autorangeoptions": {"clipmin": 0, "clipmax": 100}}
    return details


def count_axis(title: str, last: int) -> dict[str, Any]:
    """An axis of whole numbers from 0 to the last."""
    details: dict[str, Any] = {"title": {"text": title}, "tickformat": "d", "range": [0, max(1, last)]}
    return details | ({"dtick": 1} if last <= _FEW else {})


def seconds_axis(last: float) -> dict[str, Any]:
    """An axis of the time since the first trial began, from 0 to the last second."""
    return {"title": {"text": "seconds since the first trial started"}, "range": [0, short(last) or 1]}


def short(value: float) -> float:
    """The value with six digits, which keeps the page small."""
    return float(f"{value:.6g}")
