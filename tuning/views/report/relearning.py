"""How fast forgotten classes come back: recognised images after steps of training from a few labels."""

import html
import re

from tuning.study.outcome import Outcome
from tuning.views.baseline_texts import PARTS, ResultRow, result_rows, row_name
from tuning.views.report.drawing import Figure, assembled, short

_STEPS = re.compile(r"relearn_(\d{1,6})")
_LOOKS = {
    "original": ("--text", "solid", "square", 2),
    "mask": ("--text", "dot", "diamond", 2),
    "untrained": ("--other", "dashdot", "cross", 2),
    "chosen": ("--chosen", "solid", "star", 4),
    "nearest": ("--chosen", "solid", "star", 4),
}
_REFERENCE = ("--front", "dash", "hexagon", 2)
_START = ("--start", "solid", "diamond-open", 2)


def relearning_figures(outcome: Outcome) -> list[tuple[str, Figure]]:
    """Titled curves on validation and on test images; none where they were not measured."""
    figures = []
    for part in PARTS:
        curves = [(row, curve) for row in _rows(outcome) if len(curve := _curve(row.row.metrics, part)) > 1]
        if curves:
            figures.append((f"On {part} images", _drawn(curves)))
    return figures


def _rows(outcome: Outcome) -> list[ResultRow]:
    """One row a model: of a trial that was confirmed, the runs with fresh seeds."""
    rows: dict[str, ResultRow] = {}
    for row in result_rows(outcome):
        rows.setdefault(row.row.name, row)
    return list(rows.values())


def _curve(metrics: dict[str, float], part: str) -> dict[int, float]:
    """Shares of recognised images by step."""
    steps = {
        int(match[1]): value
        for name, value in metrics.items()
        if name.startswith(f"{part}/") and (match := _STEPS.fullmatch(name.removeprefix(f"{part}/")))
    }
    return dict(sorted(steps.items()))


def _drawn(curves: list[tuple[ResultRow, dict[int, float]]]) -> Figure:
    steps = sorted({step for _, curve in curves for step in curve})
    traces = []
    for row, curve in sorted(curves, key=lambda each: each[0].row.name in ("chosen", "nearest")):
        name = row.row.name
        look = _LOOKS.get(name, _REFERENCE if name.startswith("reference") else _START)
        colour, dash, symbol, width = look
        title = html.escape(row_name(row.row))
        whole = f"{title}, {html.escape(row.runs)}" if row.runs else title
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": title,
                "x": [steps.index(step) for step in curve],
                "y": [short(100 * share) for share in curve.values()],
                "hovertext": [f"{whole}<br>after {step} steps: {100 * share:.1f} %" for step, share in curve.items()],
                "hoverinfo": "text",
                "line": {"width": width, "color": colour, "dash": dash},
                "marker": {"size": 13 if symbol == "star" else 8, "color": colour, "symbol": symbol},
                "cliponaxis": False,
            }
        )
    across = {
        "title": {"text": "steps of training"},
        "tickvals": list(range(len(steps))),
        "ticktext": list(map(str, steps)),
    }
    up = {"title": {"text": "forget images recognised"}, "ticksuffix": " %", "range": [-3, 103]}
    return assembled(traces, across, up)
