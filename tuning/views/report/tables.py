"""The report's tables: metrics with the number of images behind them, and one row a trial."""

from typing import Any, NamedTuple

from search_spaces import ChoiceParameter
from tuning.study.outcome import Confirmation, Outcome, Spread
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord
from tuning.views.report.drawing import formatted, label

_LONGEST_ERROR = 2000
_LONGEST_LINE = 240
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


def headings(study: StudyReader, outcome: Outcome) -> list[tuple[str, bool]]:
    """Headings of the trial table, and whether numbers stand below them."""
    parameters = study.space.parameters
    metrics = [label(name) for name in key_metrics(outcome)]
    names = ["trial", "state", "place", "origin", *parameters, *metrics, "epochs done", "seconds", "error"]
    texts = {"state", "place", "origin", "error"}
    texts |= {name for name, parameter in parameters.items() if isinstance(parameter, ChoiceParameter)}
    return [(name, name not in texts) for name in names]


def trial_row(record: TrialRecord, study: StudyReader, outcome: Outcome) -> tuple[str, list[Cell]]:
    """The place of a trial, `chosen`, `front` or nothing, and its cells."""
    place = "front" if record.number in {r.number for r in outcome.front} else ""
    if outcome.chosen is not None and record.number == outcome.chosen.number:
        place = "chosen"
    error = (record.error or "")[:_LONGEST_ERROR] + ("…" if len(record.error or "") > _LONGEST_ERROR else "")
    first, _, rest = error.strip().partition("\n")
    if len(first) > _LONGEST_LINE:
        first, rest = f"{first[:_LONGEST_LINE]}…", error
    params = [record.params.get(name) for name in study.space.parameters]
    cells = [
        Cell(str(record.number), record.number),
        Cell(record.state.lower(), record.state),
        Cell(place, place),
        Cell(record.origin, record.origin),
        *(Cell("") if value is None else Cell(formatted("", value), _order(value)) for value in params),
        *(_figure_cell(name, record.figures, record.counts, record.spread) for name in key_metrics(outcome)),
        Cell(str(record.fidelity), record.fidelity),
        Cell(f"{record.duration_s:.1f}", record.duration_s),
        Cell(first, first, more=rest),
    ]
    return place, cells


def _figure_cell(
    name: str, metrics: dict[str, float], counts: dict[str, int], spread: dict[str, float] | None = None
) -> Cell:
    """A metric with its image count, and its spread over replicates where there are several."""
    if name not in metrics:
        return Cell("")
    text = formatted(name, float(metrics[name]))
    if spread and name in spread:
        text += f" ± {100 * spread[name]:.1f}" if name.endswith("accuracy") else f" ± {spread[name]:.3f}"
    count = _count(name, counts)
    return Cell(text, metrics[name], f"of {count} images" if count is not None and name.endswith("accuracy") else "")


def _count(name: str, counts: dict[str, int]) -> int | None:
    part, _, rest = name.partition("/")
    return counts.get(f"{part}/{rest.partition('_')[0]}")


def _order(value: Any) -> float | str:
    return float(value) if isinstance(value, int | float) else str(value)
