"""Learning curves: one metric over the epochs, a line a replicate; the trials that matter have lines of their own."""

import html
from collections.abc import Iterator
from typing import Any

from tuning.study.outcome import Outcome
from tuning.trials.records import TrialRecord
from tuning.views.report.drawing import Figure, assembled, count_axis, metric_axis, scaled
from tuning.views.report.first_views import AxisValues, with_first_view
from tuning.views.report.thinning import MOST_LINES, thinned

_COLOURS = tuple(f"--line-{place}" for place in range(6))
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_STROKES = {"chosen": ("--chosen", 4), "start": ("--start", 3)}


def curves(records: list[TrialRecord], outcome: Outcome, metric: str) -> Figure:
    """One metric of every trial over the epochs, from the original model at epoch 0.

    The chosen trial, the starting point and up to six trials of the front have a colour each, and their replicates a
    dash each; all others are pale.
    """
    reported = [record for record in records if record.steps]
    before = scaled(metric, outcome.original.get(metric))
    named = _named(reported, outcome)
    others = thinned([record for record in reported if record.number not in named], MOST_LINES)
    pale = [line for record in others for line in _lines(record, metric, before)]
    traces: list[Figure] = []
    if pale:
        traces.append(
            {
                **_trace([x for xs, _, _ in pale for x in xs], [y for _, ys, _ in pale for y in ys], 1, "--faint"),
                "name": "other trials",
                "hovertext": [text for xs, _, text in pale for text in [text] * len(xs)],
            }
        )
    by_number = {record.number: record for record in reported}
    for number, (name, colour, width) in named.items():
        for replicate, (xs, ys, text) in enumerate(_lines(by_number[number], metric, before)):
            trace = _trace(xs, ys, width, colour) | {"name": name, "hovertext": text, "legendgroup": name}
            trace["line"]["dash"] = _DASHES[replicate % len(_DASHES)]
            look = {"mode": "lines+markers", "marker": {"size": 5, "color": colour}, "showlegend": replicate == 0}
            traces.append(trace | look)
    last = max((x for trace in traces for x in trace["x"] if x is not None), default=1)
    figure = assembled(traces, count_axis("epoch", last), metric_axis(metric), height=440)
    return with_first_view(figure, _axes(reported, outcome, metric, before))


def _axes(reported: list[TrialRecord], outcome: Outcome, metric: str, before: float | None) -> dict[str, AxisValues]:
    """Last epochs, and the lowest and highest value of each trial; the chosen one is in the first view."""
    chosen = outcome.chosen.number if outcome.chosen is not None else None
    epochs: list[tuple[int, float | None]] = []
    heights: list[tuple[int, float | None]] = []
    for record in reported:
        lines = list(_lines(record, metric, before))
        epochs += [(record.number, max(x for x in xs if x is not None)) for xs, _, _ in lines]
        values = [y for _, ys, _ in lines for y in ys if y is not None]
        heights += [(record.number, value) for value in (min(values), max(values))] if values else []
    longest = [epoch for number, epoch in epochs if number == chosen]
    around = [height for number, height in heights if number == chosen]
    return {
        "xaxis": AxisValues(epochs, [0, *longest]),
        "yaxis": AxisValues(heights, around, metric.endswith("accuracy")),
    }


def _named(reported: list[TrialRecord], outcome: Outcome) -> dict[int, tuple[str, str, int]]:
    """Name, colour and width of the trials with lines of their own, by number; what is drawn last lies on top."""
    numbers = {record.number for record in reported}
    start, chosen = outcome.published, outcome.chosen
    special = {record.number for record in (start, chosen) if record is not None}
    front = [r for r in outcome.front if r.number in numbers - special]
    named = {
        record.number: (f"front: trial {record.number}", colour, 2)
        for record, colour in zip(thinned(front, len(_COLOURS)), _COLOURS, strict=False)
    }
    if start is not None and start.number in numbers:
        named[start.number] = (html.escape(start.origin), *_STROKES["start"])
    if chosen is not None and chosen.number in numbers:
        named.pop(chosen.number, None)
        named[chosen.number] = (f"chosen: trial {chosen.number}", *_STROKES["chosen"])
    return named


def _lines(record: TrialRecord, metric: str, before: float | None) -> Iterator[tuple[list[Any], list[Any], str]]:
    """Epochs, values and name of each replicate, with a gap at the end."""
    replicates = sorted({step.replicate for step in record.steps})
    for replicate in replicates:
        steps = [step for step in record.steps if step.replicate == replicate]
        xs: list[Any] = [*range(1, len(steps) + 1), None]
        ys = [*(scaled(metric, step.metrics.get(metric)) for step in steps), None]
        if before is not None:
            xs, ys = [0, *xs], [before, *ys]
        which = f", replicate {replicate + 1}" if len(replicates) > 1 else ""
        yield xs, ys, f"trial {record.number}{which}"


def _trace(xs: list[Any], ys: list[Any], width: int, colour: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": xs,
        "y": ys,
        "hoverinfo": "text+y",
        "line": {"width": width, "color": colour},
        "connectgaps": False,
        "cliponaxis": False,
    }
