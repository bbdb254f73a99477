"""The timeline: which worker did which trial when, with what was stopped, what failed and what was taken up again."""

import html
from dataclasses import dataclass, replace
from typing import Any

from tuning.trials.records import EpochRecord, TrialRecord
from tuning.views.report.drawing import Figure, assembled, seconds_axis, short
from tuning.views.report.first_views import AxisValues, with_first_view
from tuning.views.report.thinning import MOST_POINTS

_STATES = {
    "COMPLETE": ("complete", "--front", ""),
    "PRUNED": ("stopped early", "--start", "/"),
    "FAIL": ("failed", "--chosen", "x"),
    "RUNNING": ("running", "--other", "."),
    "WAITING": ("waiting", "--other", "."),
}
_UNKNOWN = "unknown worker"
_PAUSE_MS = 500
"""The next epoch of a trial that goes on follows sooner."""


@dataclass(frozen=True)
class Stretch:
    """Work of one worker on one trial without a break.

    Attributes:
        record: The trial.
        worker: Host and process.
        first: The trial's first epoch in it.
        last: Its last epoch in it.
        begun_ms: When it began, milliseconds since 1970.
        is_retry: Whether another worker had begun the trial.
        trials: How many trials it stands for, of which `record` is the first; `last` is of the last.
    """

    record: TrialRecord
    worker: str
    first: EpochRecord
    last: EpochRecord
    begun_ms: float
    is_retry: bool
    trials: int = 1


def stretches(records: list[TrialRecord]) -> list[Stretch]:
    """What each worker did, trial by trial. A trial that has reported no epoch has none.

    Where replicates are tasks of their own, each is a stretch, and more than one where its worker died. A trial that
    waited after some of its epochs has a stretch for those before and for those after it.
    """
    bars: list[Stretch] = []
    for record in records:
        ends = [0.0, *(step.elapsed_s + step.evaluation_s for step in record.steps)]
        spent = {step.step: end - before for step, before, end in zip(record.steps, ends, ends[1:], strict=False)}
        for steps in _in_a_row(record):
            begin, promoted = 0, False
            for at, step in enumerate(steps):
                worker, waited = _worker(step, record), False
                if at + 1 < len(steps):
                    waited = _waits_between(record, step, steps[at + 1], spent)
                    if not waited and _worker(steps[at + 1], record) == worker:
                        continue
                first = steps[begin]
                begun_ms = first.timestamp_ms - 1000 * spent[first.step]
                bars.append(Stretch(record, worker, first, step, begun_ms, begin > 0 and not promoted))
                begin, promoted = at + 1, waited
    return bars


def _waits_between(record: TrialRecord, step: EpochRecord, after: EpochRecord, spent: dict[int, float]) -> bool:
    """Whether a trial of one replicate was left between two epochs, to be promoted later."""
    if record.rung is None or len(record.seeds) > 1:
        return False
    return after.timestamp_ms - 1000 * spent[after.step] > step.timestamp_ms + _PAUSE_MS


def _in_a_row(record: TrialRecord) -> list[tuple[EpochRecord, ...]]:
    """The epochs of a trial, apart by replicate where these are tasks of their own."""
    if record.rung is None:
        return [record.steps]
    replicates = sorted({step.replicate for step in record.steps})
    return [tuple(step for step in record.steps if step.replicate == each) for each in replicates]


def merged(bars: list[Stretch]) -> list[Stretch]:
    """Bars of a worker that follow each other and ended alike as one, where there are more than can be told apart.

    What another worker had begun stays a bar of its own.
    """
    if len(bars) <= MOST_POINTS:
        return bars
    joined: list[Stretch] = []
    latest: dict[str, int] = {}
    for bar in sorted(bars, key=lambda bar: bar.begun_ms):
        at = latest.get(bar.worker)
        before = joined[at] if at is not None else None
        alike = before is not None and before.record.state == bar.record.state
        if at is not None and before is not None and alike and not (bar.is_retry or before.is_retry):
            joined[at] = replace(before, last=bar.last, trials=before.trials + 1)
        else:
            latest[bar.worker] = len(joined)
            joined.append(bar)
    return joined


def timeline(records: list[TrialRecord]) -> Figure:
    """Bars over the seconds since the first trial began, a line a worker; needs a trial that has reported."""
    done = merged(stretches(records))
    begun_ms = min(record.started_ms for record in records)
    numbers = {worker: place for place, worker in enumerate(dict.fromkeys(s.worker for s in done))}
    traces: list[Figure] = []
    for state, (name, colour, pattern) in _STATES.items():
        some = [stretch for stretch in done if stretch.record.state == state]
        if some:
            traces.append(
                {
                    "type": "bar",
                    "orientation": "h",
                    "name": name,
                    "y": [numbers[s.worker] for s in some],
                    "base": [_seconds(s.begun_ms, begun_ms) for s in some],
                    "x": [_seconds(s.last.timestamp_ms, max(s.begun_ms, begun_ms)) for s in some],
                    "width": 0.6,
                    "hovertext": [_hover(s) for s in some],
                    "hoverinfo": "text",
                    "marker": {
                        "color": colour,
                        "pattern": {"shape": pattern, "size": 6, "fgcolor": "--page"},
                        "line": {"color": "--page", "width": 1},
                    },
                }
            )
    retries = [stretch for stretch in done if stretch.is_retry]
    if retries:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "resumed by another worker",
                "x": [_seconds(s.begun_ms, begun_ms) for s in retries],
                "y": [numbers[s.worker] for s in retries],
                "hovertext": [_hover(s) for s in retries],
                "hoverinfo": "text",
                "marker": {"symbol": "triangle-right", "size": 13, "color": "--text"},
            }
        )
    up: dict[str, Any] = {
        "tickvals": list(numbers.values()),
        "ticktext": [f"worker {place + 1}" for place in numbers.values()],
        "range": [len(numbers) - 0.5, -0.5],
    }
    end = max((_seconds(s.last.timestamp_ms, begun_ms) for s in done), default=1)
    figure = assembled(traces, seconds_axis(end), up, height=min(900, 130 + 44 * len(numbers)))
    figure["layout"]["barmode"] = "overlay"
    ends = [(s.record.number, _seconds(s.last.timestamp_ms, begun_ms)) for s in done]
    return with_first_view(figure, {"xaxis": AxisValues(ends, [0.0])})


def _worker(step: EpochRecord, record: TrialRecord) -> str:
    return step.worker or record.worker or _UNKNOWN


def _seconds(at_ms: float, begun_ms: float) -> float:
    return short(max(0.0, at_ms - begun_ms) / 1000)


def _hover(stretch: Stretch) -> str:
    record = stretch.record
    if stretch.trials > 1:
        spent = (stretch.last.timestamp_ms - stretch.begun_ms) / 1000
        return (
            f"<b>{stretch.trials} trials</b> from trial {record.number} on, {_STATES[record.state][0]}<br>"
            f"{spent:.1f} s<br>worker {html.escape(stretch.worker)}"
        )
    first, last = stretch.first.step, stretch.last.step
    by_replicates = record.rung is not None and len(record.seeds) > 1
    what = f"replicate {stretch.first.replicate + 1}" if by_replicates else f"epochs {first} to {last}"
    lines = [
        f"<b>trial {record.number}</b>, {_STATES[record.state][0]}",
        f"{what}, {(stretch.last.timestamp_ms - stretch.begun_ms) / 1000:.1f} s",
        f"worker {html.escape(stretch.worker)}",
    ]
    return "<br>".join([*lines, "resumed after another worker"] if stretch.is_retry else lines)
