"""The timeline: which worker did which trial when, with what was stopped, what failed and what was taken up again."""

import html
from dataclasses import dataclass
from typing import Any

from tuning.trials.records import EpochRecord, TrialRecord
from tuning.views.report.drawing import Figure, assembled, seconds_axis, short

_STATES = {
    "COMPLETE": ("complete", "--front", ""),
    "PRUNED": ("stopped early", "--start", "/"),
    "FAIL": ("failed", "--chosen", "x"),
    "RUNNING": ("running", "--other", "."),
    "WAITING": ("waiting", "--other", "."),
}
_UNKNOWN = "unknown worker"


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
    """

    record: TrialRecord
    worker: str
    first: EpochRecord
    last: EpochRecord
    begun_ms: float
    is_retry: bool


def stretches(records: list[TrialRecord]) -> list[Stretch]:
    """What each worker did, trial by trial. A trial that has reported no epoch has none."""
    bars: list[Stretch] = []
    for record in records:
        begin = 0
        for at, step in enumerate(record.steps):
            worker = _worker(step, record)
            if at + 1 < len(record.steps) and _worker(record.steps[at + 1], record) == worker:
                continue
            first = record.steps[begin]
            before = record.steps[begin - 1] if begin else None
            spent = first.elapsed_s + first.evaluation_s - (before.elapsed_s + before.evaluation_s if before else 0)
            bars.append(Stretch(record, worker, first, step, first.timestamp_ms - 1000 * spent, begin > 0))
            begin = at + 1
    return bars


def timeline(records: list[TrialRecord]) -> Figure:
    """Bars over the seconds since the first trial began, a line a worker; needs a trial that has reported."""
    done = stretches(records)
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
                    "base": [short((s.begun_ms - begun_ms) / 1000) for s in some],
                    "x": [short((s.last.timestamp_ms - s.begun_ms) / 1000) for s in some],
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
                "x": [short((s.begun_ms - begun_ms) / 1000) for s in retries],
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
        "zeroline": False,
        "automargin": True,
    }
    figure = assembled(traces, seconds_axis(), up, height=min(900, 130 + 44 * len(numbers)))
    figure["layout"]["barmode"] = "overlay"
    return figure


def _worker(step: EpochRecord, record: TrialRecord) -> str:
    return step.worker or record.worker or _UNKNOWN


def _hover(stretch: Stretch) -> str:
    record = stretch.record
    first, last = stretch.first.step, stretch.last.step
    lines = [
        f"<b>trial {record.number}</b>, {_STATES[record.state][0]}",
        f"epochs {first} to {last}, {(stretch.last.timestamp_ms - stretch.begun_ms) / 1000:.1f} s",
        f"worker {html.escape(stretch.worker)}",
    ]
    return "<br>".join([*lines, "resumed after another worker"] if stretch.is_retry else lines)
