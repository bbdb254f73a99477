"""The report's tables of what a result is held against: one a split, with the same columns for every row."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuning.study.outcome import Outcome
from tuning.views.baseline_texts import (
    PARTS,
    Column,
    ResultRow,
    columns,
    heading_note,
    remark,
    result_rows,
    retraining_text,
    row_name,
    seconds_text,
    share_text,
)
from tuning.views.report.tables import Cell


@dataclass(frozen=True)
class BaselineLine:
    """One row of a table.

    Attributes:
        name: What it is about.
        remark: What is to be said of it; empty for most.
        runs: Which runs its figures are of; empty for what is no trial.
        place: `chosen` or nothing.
        cells: One a column; empty where the row does not apply.
        why_not: Why it does not apply; empty if it does.
    """

    name: str
    remark: str
    runs: str
    place: str
    cells: list[Cell]
    why_not: str


@dataclass(frozen=True)
class BaselineTable:
    """One table.

    Attributes:
        part: The split that its metrics are on.
        headings: Text, and a note such as the number of images.
        lines: The rows.
    """

    part: str
    headings: list[tuple[str, str]]
    lines: list[BaselineLine]


@dataclass(frozen=True)
class BaselineSection:
    """Everything of the section.

    Attributes:
        tables: On validation images with what everything cost, and on test images.
        retraining: A sentence on the cost of a retraining.
        has_mask: Whether a mask is among the rows.
        has_depth: Whether `probe_left` is among the columns.
        has_floor: Whether several references tell how far two of them are apart.
    """

    tables: list[BaselineTable]
    retraining: str
    has_mask: bool
    has_depth: bool
    has_floor: bool


def baseline_section(outcome: Outcome) -> BaselineSection:
    """The section of a study; without tables where nothing has been measured."""
    parts = tuple(reversed(PARTS)) if outcome.confirmations else PARTS
    tables = [table for part in parts if (table := _table(outcome, part, costs=part == parts[0])) is not None]
    names = [column.name for column in columns(outcome, PARTS[0])]
    return BaselineSection(
        tables,
        retraining_text(outcome.baselines),
        any(row.name == "mask" and row.metrics for row in outcome.baselines.rows),
        "probe_left" in names,
        bool(outcome.baselines.floor),
    )


def _table(outcome: Outcome, part: str, *, costs: bool) -> BaselineTable | None:
    across = columns(outcome, part)
    if not across:
        return None
    headings = [(column.heading, heading_note(column, part, outcome)) for column in across]
    if costs:
        headings += [(what, "and its share of one retraining") for what in ("one unlearning", "whole request")]
    return BaselineTable(part, headings, [_line(row, across, part, outcome, costs) for row in result_rows(outcome)])


def metric_cells(line: ResultRow, across: Sequence[Column], part: str, outcome: Outcome) -> list[Cell]:
    """The figures of a row on a split, with the limits that follow from the number of images."""
    cells, metrics = [], line.row.metrics
    for column in across:
        note = column.note(metrics, part, outcome.original_counts.get(f"{part}/{column.images}"))
        if line.spread and not note.endswith("%"):
            note = ""
        cells.append(Cell(column.text(metrics, part, line.spread), note=note))
    return cells


def _line(line: ResultRow, across: list[Column], part: str, outcome: Outcome, costs: bool) -> BaselineLine:
    row, cells = line.row, metric_cells(line, across, part, outcome)
    if costs:
        spent = (row.unlearning_s, None if line.is_confirmed else row.request_s)
        cells += [Cell(seconds_text(s), note=share_text(outcome.baselines.share(s))) for s in spent]
    place = "chosen" if row.name == "chosen" else ""
    said = remark(row, outcome.baselines)
    return BaselineLine(row_name(row), said, line.runs, place, [] if row.why_not else cells, row.why_not or "")
