"""The baselines as people read them: columns, figures, seconds and shares; the same texts wherever they are shown."""

from collections.abc import Iterator
from typing import NamedTuple

from tuning.config.objectives import DEPTH
from tuning.study.baselines import BaselineRow, Baselines
from tuning.study.outcome import Outcome
from tuning.trials.depth import DEPTH_ERROR, verdict

PARTS = ("validation", "test")
_MOST_PERCENT = 10
_LEFT = DEPTH.partition("/")[2]
_ERRORS = {_LEFT: DEPTH_ERROR.partition("/")[2]}
_POINTS, _PERCENT, _PLAIN = "points", "percent", "plain"


class Column(NamedTuple):
    """One figure of every row.

    Attributes:
        name: Of the metric, without the split.
        heading: What stands above it.
        images: Whose images are counted beside the heading, such as `forget`; empty where that is not kept.
        unit: `percent`, `points` or `plain`: how it is written.
        note: What else stands beside the heading.
    """

    name: str
    heading: str
    images: str
    unit: str
    note: str = ""

    def metric(self, part: str) -> str:
        """The metric's whole name on a split."""
        return f"{part}/{self.name}"

    def text(self, metrics: dict[str, float], part: str) -> str:
        """The figure of a row; empty where the row lacks it."""
        value = metrics.get(self.metric(part))
        if value is None:
            return ""
        if self.unit == _PERCENT:
            return f"{100 * value:.1f} %"
        if self.unit == _POINTS:
            return f"{100 * value:.1f}".replace("-0.0", "0.0") if abs(value) < 0.0005 else f"{100 * value:.1f}"
        error = metrics.get(f"{part}/{_ERRORS[self.name]}") if self.name in _ERRORS else None
        return f"{value:.2f}" + (f" ± {error:.2f}" if error else "")


_COLUMNS = (
    Column("forget_accuracy", "forget accuracy", "forget", _PERCENT),
    Column("retain_accuracy", "retain accuracy", "retain", _PERCENT),
    Column(_LEFT, _LEFT, "", _PLAIN, "training images"),
    Column("probe_forget", "probe_forget", "", _PERCENT, "training images"),
    Column("probe_gap", "probe_gap", "", _POINTS, "percentage points"),
    Column("mia_loss", "membership inference (loss)", "", _PLAIN),
    Column("mia_confidence", "membership inference (confidence)", "", _PLAIN),
)
_OF_SAMPLES = (
    _COLUMNS[0],
    Column("retain_accuracy", "accuracy on unseen images", "retain", _PERCENT),
    Column("forget_gap", "forget gap", "", _POINTS, "percentage points"),
    *_COLUMNS[-2:],
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
    return column.note if count is None else f"{count:,} images"


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
    return [row for row in baselines.rows if row.name.startswith("reference")]


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
    how = "measured" if baselines.is_measured else "estimated from the speed of the study's trials"
    return f"One retraining without the forget set takes {seconds_text(baselines.retraining_s)} ({how})."


def baseline_metrics(baselines: Baselines) -> Iterator[tuple[str, float]]:
    """Figures of the rows that are no trial, such as `mask/validation/retain_accuracy`; the original has its own."""
    for row in baselines.rows:
        if row.trial is None and row.name != "original":
            for part in PARTS:
                for column in _COLUMNS:
                    if column.metric(part) in row.metrics:
                        yield f"{row.name}/{column.metric(part)}", row.metrics[column.metric(part)]
