"""The parallel coordinates of a study's completed trials."""

import html
import math
from typing import Any

from search_spaces import ChoiceParameter, SearchSpace
from tuning.config.objectives import Objective
from tuning.study.outcome import Outcome
from tuning.trials.records import TrialRecord
from tuning.views.report.drawing import Figure, assembled, completed, formatted, grouped_lines, label, short


def parallel(
    records: list[TrialRecord], outcome: Outcome, objectives: tuple[Objective, ...], space: SearchSpace
) -> Figure:
    """One line a completed trial: parameters over their search range, objectives over the values found."""
    complete = completed(records)
    names = [*space.order(), *(objective.metric for objective in objectives)]
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
        labels += [(column, 0.0, formatted(name, low)), (column, 1.0, formatted(name, high))]
    lines = [
        (r, (list(range(len(names))), [column[row] for column in heights], f"trial {r.number}"))
        for row, r in enumerate(complete)
    ]
    traces = grouped_lines(lines, outcome)
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
    return assembled(traces, across, up, height=460) | {"least_width": 88 * len(names)}


def _height(value: float | None, low: float, high: float, log: bool) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    if low == high:
        return 0.5
    if log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return short((value - low) / (high - low))


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
