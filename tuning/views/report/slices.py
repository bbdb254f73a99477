"""An objective over each hyperparameter, and over two at once: what importance is computed from, to look at.

As Optuna's slice and rank plots, with the page's colours and units, the whole search range, and one text a trial.
"""

import html
import math
from collections.abc import Sequence
from typing import Any

from search_spaces import ChoiceParameter, Parameter, SearchSpace
from tuning.config.objectives import Objective
from tuning.study.outcome import Outcome
from tuning.trials.records import TrialRecord
from tuning.views.report.drawing import Figure, axis, completed, label, metric_axis, scaled, short, trial_markers
from tuning.views.report.first_views import AxisValues, with_first_view
from tuning.views.report.histories import objective_values
from tuning.views.report.thinning import MOST_POINTS, most_in_a_slice, thinned

_COLUMNS, _ROW, _GAP_ACROSS, _GAP_UP = 6, 130, 0.02, 62
_TOP, _BOTTOM = 40, 60
_ROOM = 0.04
_LONGEST_CHOICE, _MOST_POWERS = 12, 3


def slice_figure(
    records: Sequence[TrialRecord], outcome: Outcome, objectives: tuple[Objective, ...], at: int, space: SearchSpace
) -> Figure:
    """One objective over every hyperparameter that a completed trial has, a small panel each.

    Args:
        records: With at least one completed trial.
        outcome: Whose front and chosen trial are marked.
        objectives: All of them.
        at: Position of the one to draw.
        space: What is searched.
    """
    complete, metric = completed(records), objectives[at].metric
    names = [name for name in space.order() if any(name in record.params for record in complete)]
    rows = math.ceil(len(names) / _COLUMNS)
    height = _TOP + _BOTTOM + rows * _ROW + (rows - 1) * _GAP_UP
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"l": 64, "r": 16, "t": _TOP, "b": _BOTTOM},
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        "hovermode": "closest",
    }
    front = {record.number for record in outcome.front}
    others = thinned([r for r in complete if r.number not in front], most_in_a_slice(len(names)))
    chosen = [outcome.chosen] if outcome.chosen is not None else []
    groups = [("trials", "other trials", others), ("front", "Pareto front", list(outcome.front))]
    groups += [("chosen", f"chosen: trial {record.number}", [record]) for record in chosen]
    traces: list[Figure] = []
    heights_of = objective_values(complete, outcome, objectives[at], at)
    first: dict[str, AxisValues] = {}
    for place, name in enumerate(names):
        row, column = divmod(place, _COLUMNS)
        number = "" if place == 0 else str(place + 1)
        inner = height - _TOP - _BOTTOM
        top = 1 - row * (_ROW + _GAP_UP) / inner
        width = (1 - (_COLUMNS - 1) * _GAP_ACROSS) / _COLUMNS
        left = column * (width + _GAP_ACROSS)
        layout[f"xaxis{number}"] = parameter_axis(name, space.parameters[name], complete) | {
            "domain": [round(left, 4), round(left + width, 4)],
            "anchor": f"y{number}",
        }
        layout[f"yaxis{number}"] = axis(metric_axis(metric)) | {
            "title": {"text": ""},
            "domain": [max(0.0, round(top - _ROW / inner, 4)), round(top, 4)],
            "anchor": f"x{number}",
            **({} if place == 0 else {"matches": "y"}),
            **({} if column == 0 else {"showticklabels": False}),
        }
        first |= {f"xaxis{number}": parameter_values(name, space.parameters[name], complete, chosen)}
        first |= {f"yaxis{number}": heights_of}
        for role, title, group in groups:
            some = [record for record in group if name in record.params]
            heights = [scaled(metric, record.metrics.get(metric)) for record in some]
            trace = trial_markers(role, title, _values(name, space, some), heights, some)
            axes = {"xaxis": f"x{number}", "yaxis": f"y{number}", "legendgroup": role, "showlegend": place == 0}
            traces.append(trace | axes)
    return with_first_view({"data": traces, "layout": layout, "least_width": 900, "wide": True}, first)


def rank_figure(
    records: Sequence[TrialRecord],
    objective: Objective,
    names: tuple[str, str],
    space: SearchSpace,
    chosen: TrialRecord | None = None,
) -> Figure:
    """Completed trials by two hyperparameters, coloured by their rank in an objective; the best are bright.

    A rank, unlike the value, is not flattened by a trial that was wrecked.

    Args:
        records: With completed trials that have both.
        objective: What they are ranked by.
        names: Of the hyperparameters.
        space: What is searched.
        chosen: The chosen trial, if any, which is in the first view.
    """
    metric = objective.metric
    both = [r for r in completed(records) if all(name in r.params for name in names) and metric in r.metrics]
    some = thinned(both, MOST_POINTS)
    values = sorted(objective.sign() * record.metrics[metric] for record in some)
    first: dict[float, int] = {}
    for place, value in enumerate(values):
        first.setdefault(value, place)
    last = max(1, len(some) - 1)
    ranks = [100 * (1 - first[objective.sign() * record.metrics[metric]] / last) for record in some]
    xs, ys = (_values(name, space, some) for name in names)
    trace = trial_markers("trials", "trials", xs, ys, some)
    trace["marker"] = {
        "size": 9,
        "color": [round(rank, 1) for rank in ranks],
        "colorscale": "Viridis",
        "cmin": 0,
        "cmax": 100,
        "line": {"width": 1, "color": "--axis"},
        "colorbar": {
            "title": {"text": f"rank in {label(metric)}", "side": "right"},
            "tickvals": [0, 50, 100],
            "ticktext": ["worst", "median", "best"],
            "thickness": 12,
            "outlinewidth": 0,
        },
    }
    across, up = (parameter_axis(name, space.parameters[name], some) for name in names)
    layout = {
        "height": 400,
        "margin": {"l": 64, "r": 16, "t": 24, "b": 60},
        "hovermode": "closest",
        "showlegend": False,
        "xaxis": across,
        "yaxis": up,
    }
    inside = [chosen] if chosen is not None else []
    views = {
        side: parameter_values(name, space.parameters[name], some, inside)
        for side, name in zip(("xaxis", "yaxis"), names, strict=True)
    }
    return with_first_view({"data": [trace], "layout": layout}, views)


def parameter_axis(name: str, parameter: Parameter, records: Sequence[TrialRecord]) -> dict[str, Any]:
    """An axis over the whole search range of a hyperparameter, and what was tried beyond it."""
    details = axis({"title": {"text": html.escape(name), "standoff": 6, "font": {"size": 12}}})
    if isinstance(parameter, ChoiceParameter):
        choices = [html.escape(str(choice)) for choice in parameter.choices]
        shown = [text if len(text) <= _LONGEST_CHOICE else f"{text[: _LONGEST_CHOICE - 1]}…" for text in choices]
        ticks = {"tickvals": choices, "ticktext": shown, "range": [-0.5, len(choices) - 0.5]}
        return details | {"type": "category", "categoryorder": "array", "categoryarray": choices} | ticks
    tried = [float(record.params[name]) for record in records if name in record.params]
    low, high = min([parameter.low, *tried]), max([parameter.high, *tried])
    if parameter.log and low > 0:
        low, high = math.log10(low), math.log10(high)
        powers = [short(10.0**exponent) for exponent in range(math.ceil(low), math.floor(high) + 1)]
        powers = powers[:: math.ceil(len(powers) / _MOST_POWERS)] if powers else []
        details |= {"type": "log", "tickvals": powers if len(powers) > 1 else [short(10**low), short(10**high)]}
        details |= {"tickformat": "~g"}
    room = _ROOM * (high - low)
    return details | {"range": [round(low - room, 6), round(high + room, 6)], "nticks": 5}


def parameter_values(
    name: str, parameter: Parameter, records: Sequence[TrialRecord], inside: Sequence[TrialRecord]
) -> AxisValues:
    """What lies along the axis of a hyperparameter: the search range first, and what was tried far beyond it later.

    Args:
        name: Of the hyperparameter.
        parameter: Its search range; a choice has no trials beyond it.
        records: Trials.
        inside: Trials that must be in the first view.
    """
    if isinstance(parameter, ChoiceParameter):
        return AxisValues(())
    is_log = parameter.log and min([parameter.low, *(float(r.params[name]) for r in records if name in r.params)]) > 0

    def place(value: float) -> float:
        return math.log10(value) if is_log else value

    tried = [(r.number, place(float(r.params[name]))) for r in records if name in r.params]
    ends = [place(parameter.low), place(parameter.high)]
    return AxisValues(tried, (*ends, *(place(float(r.params[name])) for r in inside if name in r.params)))


def _values(name: str, space: SearchSpace, records: Sequence[TrialRecord]) -> list[Any]:
    """The values of a hyperparameter as drawn: choices as text that is no markup."""
    values = [record.params[name] for record in records]
    if isinstance(space.parameters[name], ChoiceParameter):
        return [html.escape(str(value)) for value in values]
    return [short(value) for value in values]
