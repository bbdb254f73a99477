"""The baselines as people read them: columns, figures, seconds and shares; the same texts wherever they are shown."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from antisample.metrics.share_limits import limits_text
from tuning.config.objectives import DEPTH
from tuning.study.baselines import BaselineRow, Baselines
from tuning.study.outcome import Outcome
from tuning.trials.depth import DEPTH_ERROR, verdict

PARTS = ("validation", "test")
_MOST_PERCENT = 10
_LEFT = DEPTH.partition("/")[2]
_ERRORS = {_LEFT: DEPTH_ERROR.partition("/")[2]}
_POINTS, _PERCENT, _PLAIN, _FINE = "points", "percent", "plain", "fine"


class Column(NamedTuple):
    """One figure of every row.

    Attributes:
        name: Of the metric, without the split.
        heading: What stands above it.
        images: Whose images are counted beside the heading, such as `forget`; empty where that is not kept.
        unit: `percent`, `points`, `plain` or `fine`, which has a third decimal: how it is written.
        remark: What else stands beside the heading.
    """

    name: str
    heading: str
    images: str
    unit: str
    remark: str = ""

    def metric(self, part: str) -> str:
        """The metric's whole name on a split."""
        return f"{part}/{self.name}"

    def text(self, metrics: dict[str, float], part: str, spread: dict[str, float] | None = None) -> str:
        """The figure of a row; empty where the row lacks it.

        Args:
            metrics: Of the row, by whole name.
            part: Split.
            spread: Standard deviations over several runs; a single run has none, and no `±`.
        """
        value, deviation = (some.get(self.metric(part)) for some in (metrics, spread or {}))
        if value is None:
            return ""
        text = self._number(value)
        if deviation is not None:
            text += f" ± {self._number(deviation)}"
        return f"{text} %" if self.unit == _PERCENT else text

    def note(self, metrics: dict[str, float], part: str, images: int | None) -> str:
        """How sure one can be of a figure: the limits of a share of images, or a standard error."""
        value = metrics.get(self.metric(part))
        if value is None:
            return ""
        if self.images and self.unit == _PERCENT and images and 0 <= value <= 1:
            return limits_text(value, images)
        error = metrics.get(f"{part}/{_ERRORS[self.name]}") if self.name in _ERRORS else None
        return f"standard error {error:.2f}" if error else ""

    def _number(self, value: float) -> str:
        if self.unit in (_PERCENT, _POINTS):
            return f"{100 * value:.1f}".replace("-0.0", "0.0") if abs(value) < 0.0005 else f"{100 * value:.1f}"
        return f"{value:.3f}" if self.unit == _FINE else f"{value:.2f}"


_COLUMNS = (
    Column("forget_accuracy", "forget accuracy", "forget", _PERCENT),
    Column("retain_accuracy", "retain accuracy", "retain", _PERCENT),
    Column(_LEFT, _LEFT, "", _PLAIN, "training images"),
    Column("probe_forget", "probe_forget", "", _PERCENT, "training images"),
    Column("probe_gap", "probe_gap", "", _POINTS, "percentage points"),
    Column("mia_loss", "membership inference (loss)", "", _PLAIN),
    Column("mia_confidence", "membership inference (confidence)", "", _PLAIN),
    Column("mia_efficacy", "membership inference (efficacy)", "", _PERCENT),
    Column("zrf", "ZRF", "", _PLAIN),
    Column("relearn_area", "relearn_area", "", _PERCENT),
    Column("retrained_gap", "gap to the reference", "", _POINTS, "percentage points"),
    Column("forget_js_distance", "distance to the reference", "", _FINE, "Jensen-Shannon, forget images"),
    Column("retain_js_distance", "distance to the reference", "", _FINE, "Jensen-Shannon, retain images"),
    Column("cka_reference_forget", "similarity to the reference", "", _FINE, "CKA, forget images"),
    Column("cka_reference_retain", "similarity to the reference", "", _FINE, "CKA, retain images"),
)
_AFTER_DEPTH = 5
_HEADLINE = ("forget_accuracy", "retain_accuracy", "forget_gap", _LEFT)
_OF_SAMPLES = (
    _COLUMNS[0],
    Column("retain_accuracy", "accuracy on unseen images", "retain", _PERCENT),
    Column("forget_gap", "forget gap", "", _POINTS, "percentage points"),
    *(column for column in _COLUMNS[_AFTER_DEPTH:] if column.name != "relearn_area"),
    Column("rmia_auc", "RMIA (AUC)", "", _PLAIN),
    Column("rmia_tpr", "RMIA (true positives)", "", _PERCENT, "at 1 % false positives"),
)


def columns(outcome: Outcome, part: str) -> list[Column]:
    """The figures on a split that at least one row has; none where the study knows no row."""
    every = _OF_SAMPLES if outcome.by_samples else _COLUMNS
    return [column for column in every if any(column.metric(part) in row.metrics for row in outcome.baselines.rows)]


def heading_note(column: Column, part: str, outcome: Outcome) -> str:
    """What stands beside a heading: how many images there are, or the unit; empty for some."""
    if column.name == _LEFT and not is_informative(outcome.baselines):
        return "uninformative here"
    count = outcome.original_counts.get(f"{part}/{column.images}")
    return column.remark if count is None else f"{count:,} images"


@dataclass(frozen=True)
class ResultRow:
    """One line of the result: a row of the baselines, and which of its runs the figures are of.

    Attributes:
        row: The row, with the figures of these runs.
        runs: Which runs they are of; empty for what is no trial.
        spread: Standard deviations over these runs; empty for a single one.
        n: How many runs.
    """

    row: BaselineRow
    runs: str = ""
    spread: dict[str, float] = field(default_factory=dict)
    n: int = 1

    @property
    def is_confirmed(self) -> bool:
        """Whether these are runs with seeds that the search has not used."""
        return self.runs.startswith(_CONFIRMED)


_CONFIRMED = "confirmed"
HOW = {
    "timed": "timed from a few steps",
    "measured": "measured",
    "estimated": "estimated from the speed of the study's trials",
}
"""How the seconds of a retraining are known."""
FLOOR = "floor: between references"


def result_rows(outcome: Outcome) -> list[ResultRow]:
    """Everything that the result is held against; of a trial that was run again, those runs come before the search's.

    The last is the floor, where there are several references: what separates two of them, no model can do without.
    """
    lines: list[ResultRow] = []
    trials = {r.number: r for r in (outcome.published, outcome.chosen, outcome.nearest) if r is not None}
    confirmations = {confirmation.number: confirmation for confirmation in outcome.confirmations}
    every = rows(outcome.baselines)
    if outcome.nearest is not None:
        nearest = outcome.nearest
        row = BaselineRow("nearest", nearest.metrics, None, nearest.unlearning_s, None, nearest.number)
        after = ("untrained", *(reference.name for reference in references_of(every)))
        every.insert(next((at for at, other in enumerate(every) if other.name in after), len(every)), row)
    for row in every:
        record = trials.get(row.trial) if row.trial is not None else None
        again = confirmations.get(row.trial) if row.trial is not None else None
        if again is not None:
            means = {name: spread.mean for name, spread in again.metrics.items()}
            n = len(again.seeds)
            deviations = {name: s.std for name, s in again.metrics.items()} if n > 1 else {}
            lines.append(ResultRow(replace(row, metrics=means), f"{_CONFIRMED}, {seeds_text(n)}", deviations, n))
        if record is None:
            lines.append(ResultRow(row))
        else:
            n = len(record.seeds)
            runs = f"search, mean of {n} runs" if n > 1 else "search, a single run"
            lines.append(ResultRow(row, runs, record.spread if n > 1 else {}, n))
    if outcome.baselines.floor:
        lines.append(ResultRow(BaselineRow(FLOOR, outcome.baselines.floor)))
    return lines


def headline(outcome: Outcome) -> str | None:
    """What the chosen trial does with fresh seeds on test images, in a sentence; None where it was not run again."""
    line = next((line for line in result_rows(outcome) if line.row.name == "chosen" and line.is_confirmed), None)
    if line is None:
        return None
    part, figures = PARTS[1], []
    for column in columns(outcome, part):
        text = column.text(line.row.metrics, part, line.spread)
        if text and column.name in _HEADLINE:
            limits = column.note(line.row.metrics, part, outcome.original_counts.get(f"{part}/{column.images}"))
            figures.append(f"{column.heading} {text}" + (f" (95 % limits {limits})" if limits.endswith("%") else ""))
    over = f"mean ± standard deviation over {line.n} runs" if line.n > 1 else "a single run"
    return f"Confirmed with {seeds_text(line.n)}, on test images: {', '.join(figures)}; {over}."


def seeds_text(n: int) -> str:
    """How many seeds that the search has not used."""
    return "1 fresh seed" if n == 1 else f"{n} fresh seeds"


def references_of(some: list[BaselineRow]) -> list[BaselineRow]:
    """Of some rows, those of retrained networks."""
    return [row for row in some if row.name.startswith("reference")]


def rows(baselines: Baselines) -> list[BaselineRow]:
    """Those that have figures, or a reason why not."""
    return [row for row in baselines.rows if row.metrics or row.why_not]


def row_name(row: BaselineRow) -> str:
    """What a row is about, with the number of its trial."""
    return row.name if row.trial is None else f"{row.name}: trial {row.trial}"


def remark(row: BaselineRow, baselines: Baselines) -> str:
    """What is to be said of how deeply the chosen trial has forgotten; empty for other rows, and where nothing is."""
    if row.name != "chosen" or not is_informative(baselines):
        return ""
    depths = [other.metrics[DEPTH] for other in references(baselines) if DEPTH in other.metrics]
    return verdict(row.metrics, depths) or ""


def is_informative(baselines: Baselines) -> bool:
    """Whether the probe tells an untrained network from the original; if not, every `probe_left` is 1."""
    return all(row.metrics.get(DEPTH, 0.0) < 1 for row in baselines.rows if row.name == "untrained")


def references(baselines: Baselines) -> list[BaselineRow]:
    """The rows of retrained networks."""
    return references_of(list(baselines.rows))


def seconds_text(seconds: float | None) -> str:
    """Seconds with as many digits as matter; empty where they are not known."""
    if seconds is None:
        return ""
    return "0 s" if seconds == 0 else f"{seconds:,.1f} s" if seconds < 100 else f"{seconds:,.0f} s"


def share_text(share: float | None) -> str:
    """A share of one retraining; empty where it is not known, and for what costs nothing."""
    if not share:
        return ""
    percent = f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1g} %"
    return f"{share:,.0f} times" if share >= _MOST_PERCENT else percent


def retraining_text(baselines: Baselines) -> str:
    """A sentence on what one retraining takes, and how that is known."""
    if baselines.retraining_s is None:
        return "The time of a retraining is not known, so there are no shares of it."
    seconds = seconds_text(baselines.retraining_s)
    return f"One retraining without the forget set takes {seconds} ({HOW[baselines.basis]})."


def baseline_metrics(baselines: Baselines) -> Iterator[tuple[str, float]]:
    """Figures of the rows that are no trial, such as `mask/validation/retain_accuracy`; the original has its own."""
    for row in baselines.rows:
        if row.trial is None and row.name != "original":
            for part in PARTS:
                for column in _COLUMNS:
                    if column.metric(part) in row.metrics:
                        yield f"{row.name}/{column.metric(part)}", row.metrics[column.metric(part)]
