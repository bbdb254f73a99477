"""What a terminal shows while a search runs."""

import textwrap
from collections.abc import Sequence

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.text import Text

from antisample.metrics.share_limits import limits_in_brackets
from tuning.config.objectives import DEPTH
from tuning.study.outcome import Outcome, find_outcome
from tuning.study.reader import StudyReader
from tuning.views.baseline_texts import is_informative
from tuning.views.terminal.fitted_table import Column, FittedTable

_SHOWN = ("validation/forget_accuracy", "validation/retain_accuracy", "validation/forget_confidence")
_FRONT_ROWS = 8
LIMITS = "in brackets: 95 % limits"
_BAR, _LONGEST_FAILURE = 18, 160


def live_view(
    study: StudyReader, left_s: float | None, at_once: int | None, failures: Sequence[str]
) -> RenderableType:
    """Trials, workers, time left, the best trial so far, the front, and the last failures.

    Args:
        study: Under way.
        left_s: Seconds that the rest may take; None while that is not known.
        at_once: Trials that may run at the same time; None if that is not known.
        failures: What failed last, the newest at the end.
    """
    outcome = find_outcome(study)
    states = [record.state for record in study.records()]
    running, done = states.count("RUNNING"), study.n_finished()
    most = study.config.n_trials
    total = None if most is None else max(done, most)  # `n_trials` may have been lowered since
    busy = min(running, at_once or running)  # what a dead driver left running waits for workers
    counts = [
        f"{done} trials within {study.config.budget}" if total is None else f"{done} of {total} trials",
        f"workers {busy} of {at_once} busy" if at_once else f"{running} running",
        f"stopped early {states.count('PRUNED')}, failed {states.count('FAIL')}",
        *([f"{duration(left_s)} left"] if left_s is not None else []),
    ]
    bar = [] if total is None else [ProgressBar(total=total, completed=done, width=_BAR)]
    trials = Columns([*bar, *map(Text, counts)], padding=(0, 2))
    parts: list[RenderableType] = [trials]
    if outcome.chosen is not None:
        forget, retain = (outcome.chosen.metrics.get(name, float("nan")) for name in _SHOWN[:2])
        best = f"Best so far (*): trial {outcome.chosen.number}, forget {forget:.1%}, retain {retain:.1%}: "
        parts.append(Text(f"{best}{outcome.reason}"))
    elif outcome.nearest is not None:
        parts.append(Text(f"So far: {outcome.reason[0].lower()}{outcome.reason[1:]}"))
    parts.append(front_table(outcome, limit=_FRONT_ROWS))
    parts += [Text(_short(failure), style="red") for failure in failures]
    return Group(*parts)


def _short(failure: str) -> str:
    """The beginning of what failed, without cutting a word or a figure."""
    return textwrap.shorten(failure, _LONGEST_FAILURE, placeholder=" ...")


def front_table(outcome: Outcome, limit: int | None = None) -> FittedTable:
    """The front as a table, with the published set and the original model beside it."""
    counts = outcome.original_counts
    others = "unseen" if outcome.by_samples else "retain"
    deep = is_informative(outcome.baselines) and any(DEPTH in record.metrics for record in outcome.front)
    title = (
        f"Pareto front of the search, on validation: {counts.get('validation/forget', 0)} forget images, "
        f"{counts.get('validation/retain', 0)} {others} images"
    )
    columns = (
        Column("trial"),
        Column("forget", note_rank=2),
        Column(others, note_rank=3),
        *([Column("left", rank=1)] if deep else []),
        Column("drop", rank=2),
        Column("gap" if outcome.by_samples else "confidence", rank=3),
        Column("epochs", rank=4),
        Column("seconds", rank=4),
        Column("origin", rank=1, text=True),
    )
    table = FittedTable(title, columns, LIMITS)
    before = outcome.original.get(_SHOWN[1], 0.0)

    def row(name: str, metrics: dict[str, float], epochs: str, seconds: str, origin: str) -> None:
        forget, retain, confidence = (metrics.get(key, float("nan")) for key in _SHOWN)
        gap = metrics.get("validation/forget_gap", float("nan"))
        table.add_row(
            name,
            share_text(forget, counts.get("validation/forget")),
            share_text(retain, counts.get("validation/retain")),
            *([f"{metrics[DEPTH]:.2f}" if DEPTH in metrics else ""] if deep else []),
            f"{100 * (before - retain):+.1f}",
            f"{100 * gap:.1f}" if outcome.by_samples else f"{confidence:.3f}",
            epochs,
            seconds,
            origin,
        )

    for record in outcome.front[:limit]:
        mark = " *" if outcome.chosen is not None and record.number == outcome.chosen.number else ""
        row(
            f"{record.number}{mark}",
            record.metrics,
            str(record.fidelity),
            f"{record.duration_s:.1f}",
            record.origin,
        )
    if limit is not None and len(outcome.front) > limit:
        table.add_row(f"+{len(outcome.front) - limit} more")
    if outcome.chosen is not None and outcome.chosen not in outcome.front:
        c = outcome.chosen
        row(f"{c.number} *", c.metrics, str(c.fidelity), f"{c.duration_s:.1f}", f"{c.origin} (dominated)")
    if outcome.published is not None and outcome.published not in (*outcome.front, outcome.chosen):
        p = outcome.published
        row(str(p.number), p.metrics, str(p.fidelity), f"{p.duration_s:.1f}", f"{p.origin} (dominated)")
    if outcome.original:
        row("-", outcome.original, "", "", "original model")
    return table


def share_text(share: float, images: int | None) -> str:
    """A share of images, with its 95 % limits where the number of images is known."""
    text = f"{share:.1%}"
    return f"{text} {limits_in_brackets(share, images)}" if images and 0 <= share <= 1 else text


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
