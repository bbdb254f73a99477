"""Cells of the report's tables, and the rows of the confirmation."""

from typing import NamedTuple

from tuning.study.outcome import Confirmation, Outcome, Spread
from tuning.views.report.drawing import formatted, label

KEY_METRICS = tuple(
    f"{part}/{name}"
    for part in ("validation", "test")
    for name in ("forget_accuracy", "retain_accuracy", "forget_confidence")
)
_SAMPLE_METRICS = tuple(name.replace("forget_confidence", "forget_gap") for name in KEY_METRICS)


def key_metrics(outcome: Outcome) -> tuple[str, ...]:
    """The metrics that the tables show: validation first, then test."""
    return _SAMPLE_METRICS if outcome.by_samples else KEY_METRICS


class Cell(NamedTuple):
    """One cell of a table.

    Attributes:
        text: What is shown.
        order: What sorting goes by; empty cells come last.
        note: Shown smaller behind the text.
        more: Shown on request, such as the rest of an error text.
    """

    text: str
    order: float | str = ""
    note: str = ""
    more: str = ""


def confirmation_rows(outcome: Outcome) -> list[tuple[str, str, list[str], str]]:
    """Rows of metric, images, a text a confirmation, and the paired difference."""
    return [
        (
            label(name),
            str(_count(name, outcome.confirmations[0].counts) or ""),
            [_spread_text(name, confirmation) for confirmation in outcome.confirmations],
            _difference(name, outcome.paired[name]) if name in outcome.paired else "",
        )
        for name in (*key_metrics(outcome)[3:], *key_metrics(outcome)[:3])
        if outcome.confirmations and all(name in c.metrics for c in outcome.confirmations)
    ]


def _spread_text(name: str, confirmation: Confirmation) -> str:
    spread = confirmation.metrics[name]
    text = formatted(name, spread.mean)
    return text if spread.n < 2 else f"{text} ± {_deviation(name, spread)} (n = {spread.n})"


def _difference(name: str, spread: Spread) -> str:
    percent = name.endswith("accuracy")
    mean = f"{100 * spread.mean:+.1f} percentage points" if percent else f"{spread.mean:+.3f}"
    return mean if spread.n < 2 else f"{mean} ± {_deviation(name, spread)} (n = {spread.n})"


def _deviation(name: str, spread: Spread) -> str:
    return f"{100 * spread.std:.1f}" if name.endswith("accuracy") else f"{spread.std:.3f}"


def _count(name: str, counts: dict[str, int]) -> int | None:
    part, _, rest = name.partition("/")
    return counts.get(f"{part}/{rest.partition('_')[0]}")
