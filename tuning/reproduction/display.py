"""What the command line shows of a reproduction."""

from rich.console import Console
from rich.text import Text

from tuning.config.command_lines import shown_path
from tuning.reproduction.config import ReproductionConfig
from tuning.reproduction.run import ReproductionOutcome
from tuning.reproduction.tables import Row, cells
from tuning.views.terminal.fitted_table import Column, FittedTable

_RANKS = {
    "method": 0,
    "classes": 2,
    "requests x seeds": 4,
    "retain test %": 0,
    "forget test %": 0,
    "MIA loss %": 3,
    "ToW %": 4,
    "seconds": 4,
    "published retain / forget test %": 1,
}
"""The main columns, and which are left out first where a terminal is narrow."""


def print_reproduction(
    config: ReproductionConfig, outcome: ReproductionOutcome, rows: list[Row], console: Console
) -> None:
    """Prints the table with its main columns, where everything lies, and what failed."""
    console.print(reproduction_table(config, outcome, rows))
    console.print(Text(f"Table, results and plots: {shown_path(config.out)}"), soft_wrap=True)
    if outcome.failures:
        console.print(f"{len(outcome.failures)} jobs failed; run the same command to retry them.")


def reproduction_table(config: ReproductionConfig, outcome: ReproductionOutcome, rows: list[Row]) -> FittedTable:
    """The table with its main columns."""
    heading, body = cells(rows)
    columns = [index for index, name in enumerate(heading) if name in _RANKS]
    title = f"{config.model.name}, {outcome.inputs.dataset.name}, {config.retain:g} % retain data"
    table = FittedTable(
        title, [Column(heading[at], rank=_RANKS[heading[at]], text=heading[at] == "method") for at in columns]
    )
    for texts in body:
        table.add_row(*(texts[at] for at in columns))
    return table
