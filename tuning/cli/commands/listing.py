"""The studies of a folder as a table."""

import time
from pathlib import Path

from antisample.plain_text import plain_text
from tuning.config.command_lines import shown_path
from tuning.study.summary import StudySummary, summarise_studies
from tuning.views.terminal.console import output, print_json, say
from tuning.views.terminal.fitted_table import Column, FittedTable


def list_studies(folder: Path, *, as_json: bool) -> None:
    """Prints the studies of a folder, the last active first."""
    studies, others = summarise_studies(folder)
    if as_json:
        print_json({"studies": [study.to_json() for study in studies], "not_studies": others})
        return
    console = output()
    if studies:
        console.print(_table(folder, studies))
    else:
        say(console, f"There are no studies in {shown_path(folder)}.")
    for study in studies:
        if study.by is not None:
            say(console, f"{study.name} is run by {study.by}.")
        elif study.problem is not None:
            say(console, f"{study.name} cannot be read: {study.problem}")
    if others:
        say(console, f"Not studies: {', '.join(others)}")


def _table(folder: Path, studies: list[StudySummary]) -> FittedTable:
    deep = any("left" in (study.best or {}) for study in studies)
    columns = (
        Column("study", text=True),
        Column("state", text=True),
        Column("trials"),
        Column("chosen", rank=2),
        Column("forget", rank=1),
        Column("retain", rank=1),
        *([Column("left", rank=2)] if deep else []),
        Column("active", rank=1),
        Column("path", rank=3, text=True),
    )
    table = FittedTable(f"Studies in {shown_path(folder)}", columns)
    for study in studies:
        best = study.best or {}
        table.add_row(
            plain_text(study.name),
            study.state,
            _trials(study),
            str(best["trial"]) if best else "",
            *(f"{best[name]:.1%}" if name in best else "" for name in ("forget", "retain")),
            *([f"{best['left']:.2f}" if "left" in best else ""] if deep else []),
            "" if study.last_activity is None else _ago(time.time() - study.last_activity),
            plain_text(shown_path(study.path)),
        )
    return table


def _trials(study: StudySummary) -> str:
    if study.total is None and study.done is None:
        return ""
    done = "?" if study.done is None else str(study.done)
    text = done if study.total is None else f"{done} of {study.total}"  # a budget alone says no total
    return f"{text}, {study.failed} failed" if study.failed else text


def _ago(seconds: float) -> str:
    """How long ago, in the largest unit that it is at least one of."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{max(0, seconds):.0f} s ago"
