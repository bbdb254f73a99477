"""The parallel coordinates of a study's completed trials."""

import html
import math
from collections.abc import Sequence
from typing import Any

from search_spaces import ChoiceParameter, SearchSpace
from tuning.config.objectives import Objective
from tuning.study.outcome import Outcome
from tuning.trials.records import TrialRecord
from tuning.views.report.drawing import Figure, assembled, completed, formatted, label, short
from tuning.views.report.first_views import outside_text
from tuning.views.report.thinning import MOST_LINES, thinned
from tuning.views.report.windows import Range, usual_range

_STROKES = {
    "trials": {"width": 1, "color": "--faint"},
    "front": {"width": 1.5, "color": "--front"},
    "start": {"width": 3, "color": "--start", "dash": "dash"},
    "chosen": {"width": 4, "color": "--chosen"},
}


def parallel(
    records: list[TrialRecord], outcome: Outcome, objectives: tuple[Objective, ...], space: SearchSpace
) -> Figure:
    """One line a completed trial: parameters over their search range, objectives over the observed values.

    A line leaves the figure at the axis of an objective where its value is far from all others.
    """
    every = completed(records)
    complete = _drawn(every, outcome)
    ranges = {o.metric: _observed(every, outcome, o) for o in objectives}
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
        low, high = ranges[name] if parameter is None else (parameter.low, parameter.high)
        log = parameter is not None and parameter.log
        heights.append([_height(v, low, high, log) for v in values])
        labels += [(column, 0.0, formatted(name, low)), (column, 1.0, formatted(name, high))]
    lines = [(r, [column[row] for column in heights]) for row, r in enumerate(complete)]
    traces = _traces(lines, outcome)
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
        "tickangle": 0,
    }
    up = {"range": [-0.09, 1.09], "visible": False}
    figure = assembled(traces, across, up, height=460) | {"least_width": 88 * len(names)}
    far = {
        r.number
        for r in every
        for name, ends in ranges.items()
        if not ends[0] <= r.metrics.get(name, ends[0]) <= ends[1]
    }
    return figure | ({"outside": outside_text(len(far))} if far else {})


def _observed(every: Sequence[TrialRecord], outcome: Outcome, objective: Objective) -> Range:
    """From the smallest to the largest value of an objective, without the few that would flatten all others."""
    values = [r.metrics[objective.metric] for r in every if math.isfinite(r.metrics.get(objective.metric, math.nan))]
    if not values:
        return 0.0, 1.0
    always = [min(values, key=lambda value: objective.sign() * value)]
    if outcome.chosen is not None and outcome.chosen.values is not None:
        always.append(outcome.chosen.metrics[objective.metric])
    return usual_range(values, always) or (min(values), max(values))


def _drawn(complete: list[TrialRecord], outcome: Outcome) -> list[TrialRecord]:
    """Those that matter, and of the others no more than can be told apart."""
    special = [*outcome.front, *(r for r in (outcome.published, outcome.chosen) if r is not None)]
    numbers = {record.number for record in special}
    some = thinned([record for record in complete if record.number not in numbers], MOST_LINES)
    kept = numbers | {record.number for record in some}
    return [record for record in complete if record.number in kept]


def _traces(lines: list[tuple[TrialRecord, list[float | None]]], outcome: Outcome) -> list[Figure]:
    """One trace a role, its lines parted by gaps, the most important role on top."""
    front = {record.number for record in outcome.front}
    chosen = outcome.chosen.number if outcome.chosen is not None else None
    start = outcome.published.number if outcome.published is not None else None
    origin = html.escape(outcome.published.origin) if outcome.published is not None else ""
    names = {"trials": "other trials", "front": "Pareto front", "start": origin, "chosen": f"chosen: trial {chosen}"}
    groups: dict[str, list[tuple[TrialRecord, list[float | None]]]] = {role: [] for role in names}
    for record, heights in lines:
        role = "front" if record.number in front else "trials"
        role = "start" if record.number == start else role
        groups["chosen" if record.number == chosen else role].append((record, heights))
    return [
        {
            "type": "scatter",
            "mode": "lines+markers" if role == "chosen" else "lines",
            "name": names[role],
            "x": [x for _, heights in group for x in (*range(len(heights)), None)],
            "y": [y for _, heights in group for y in (*heights, None)],
            "customdata": [record.number for record, heights in group for _ in range(len(heights) + 1)],
            "hoverinfo": "text",
            "line": _STROKES[role],
            "connectgaps": False,
        }
        for role, group in groups.items()
        if group
    ]


def _height(value: float | None, low: float, high: float, log: bool) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    if low == high:
        return 0.5
    if log:
        if value <= 0:
            return None
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
