"""The chosen trials of several studies as a table: for the page, for the terminal, and as plain values."""

from typing import Any

from tuning.study.outcome import Outcome
from tuning.views.baseline_texts import (
    PARTS,
    Column,
    columns,
    heading_note,
    remark,
    seconds_text,
    share_text,
)
from tuning.views.comparison.comparison import ComparedStudy, Comparison
from tuning.views.report.baselines import BaselineLine, BaselineTable, metric_cells
from tuning.views.report.tables import Cell
from tuning.views.terminal.fitted_table import Column as FittedColumn
from tuning.views.terminal.fitted_table import FittedTable

_COSTS = ("one unlearning", "whole request")
_FIRST = 2  # forget and retain accuracy, which no terminal is too narrow for


def result_tables(comparison: Comparison) -> list[BaselineTable]:
    """On test images, then on validation images, with what everything cost; the same columns as in a report."""
    tables: list[BaselineTable] = []
    for part in reversed(PARTS):
        across = _columns(comparison, part)
        if not across:
            continue
        costs = not tables
        headings = [(column.heading, _note(column, part, comparison)) for column in across]
        headings += [(what, "and its share of one retraining") for what in _COSTS] if costs else []
        lines = [_line(each, across, part, costs=costs) for each in comparison.studies]
        tables.append(BaselineTable(part, headings, lines))
    return tables


def terminal_table(comparison: Comparison) -> FittedTable:
    """The same for the terminal, on the images that the page has first."""
    tables = result_tables(comparison)
    if not tables:
        table = FittedTable("Nothing has been measured yet.", (FittedColumn("", text=True),))
    else:
        first = tables[0]
        headings = [heading for heading, _ in first.headings]
        table = FittedTable(
            f"Chosen trials, on {first.part} images",
            (
                FittedColumn("", text=True),
                *(FittedColumn(name, rank=max(0, at - _FIRST + 1)) for at, name in enumerate(headings)),
            ),
        )
    for at, each in enumerate(comparison.studies):
        line = tables[0].lines[at] if tables else None
        if line is None or line.why_not:
            table.add_row(f"{each.name}: {each.outcome.reason}")
        else:
            texts = (f"{c.text} ({c.note})" if c.note else c.text for c in line.cells)
            table.add_row(f"{line.name}, {line.runs}", *texts)
    return table


def plain_comparison(comparison: Comparison) -> dict[str, Any]:
    """Plain values for `--json`."""
    volumes = comparison.hypervolumes
    return {
        "comparable": not comparison.differences,
        "differences": list(comparison.differences),
        "settings": {
            key: {each.name: text for each, text in zip(comparison.studies, texts, strict=True)}
            for key, texts in comparison.settings.items()
        },
        "reference": list(comparison.reference) if volumes is not None else None,
        "studies": [
            {
                "name": each.name,
                "directory": str(each.study.config.directory),
                "hypervolume": volumes[at] if volumes is not None else None,
                "result": _plain_result(each),
                **each.outcome.to_json(),
            }
            for at, each in enumerate(comparison.studies)
        ],
    }


def _plain_result(each: ComparedStudy) -> dict[str, Any] | None:
    """The figures of the chosen trial that the table has."""
    if each.result is None:
        return None
    row, baselines = each.result.row, each.outcome.baselines
    return {
        "trial": row.trial,
        "confirmed": each.result.is_confirmed,
        "runs": each.result.n,
        "metrics": row.metrics,
        "standard_deviation": each.result.spread,
        "unlearning_s": row.unlearning_s,
        "unlearning_share": baselines.share(row.unlearning_s),
        "request_s": row.request_s,
        "request_share": baselines.share(row.request_s),
    }


def _columns(comparison: Comparison, part: str) -> list[Column]:
    """The columns of all studies, in the order of a report."""
    every: dict[str, Column] = {}
    for each in comparison.studies:
        if each.result is not None:
            measured = each.result.row.metrics
            every |= {
                c.name: c for c in columns(each.outcome, part) if c.metric(part) in measured and c.name not in every
            }
    return list(every.values())


def _note(column: Column, part: str, comparison: Comparison) -> str:
    """What stands beside a heading, where it holds for every study."""
    notes = {heading_note(column, part, each.outcome) for each in comparison.studies if each.result is not None}
    return notes.pop() if len(notes) == 1 else ""


def _line(each: ComparedStudy, across: list[Column], part: str, *, costs: bool) -> BaselineLine:
    outcome, result = each.outcome, each.result
    if result is None:
        return BaselineLine(each.name, "", "", "", [], outcome.reason)
    cells = metric_cells(result, across, part, outcome)
    if costs:
        cells += _costs(result.row.unlearning_s, result.row.request_s, outcome)
    said = remark(result.row, outcome.baselines)
    return BaselineLine(f"{each.name}: trial {result.row.trial}", said, result.runs, "", cells, "")


def _costs(unlearning_s: float | None, request_s: float | None, outcome: Outcome) -> list[Cell]:
    return [
        Cell(seconds_text(seconds), note=share_text(outcome.baselines.share(seconds)))
        for seconds in (unlearning_s, request_s)
    ]
