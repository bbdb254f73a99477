"""What the command line shows of a reproduction."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tuning.display import shown_path
from tuning.reproduction.config import ReproductionConfig
from tuning.reproduction.run import ReproductionOutcome
from tuning.reproduction.tables import Row, cells

_COLUMNS = (
    "method",
    "classes",
    "requests x seeds",
    "retain test %",
    "forget test %",
    "MIA loss %",
    "ToW %",
    "seconds",
    "published retain / forget test %",
)


def print_reproduction(
    config: ReproductionConfig, outcome: ReproductionOutcome, rows: list[Row], console: Console
) -> None:
    """Prints the table with its main columns, where everything lies, and what failed."""
    console.print(reproduction_table(config, outcome, rows))
    console.print(Text(f"Table, results and pictures: {shown_path(config.out)}"), soft_wrap=True)
    if outcome.failures:
        console.print(f"{len(outcome.failures)} jobs failed; the same command tries them again.")


def reproduction_table(config: ReproductionConfig, outcome: ReproductionOutcome, rows: list[Row]) -> Table:
    """The table with its main columns."""
    heading, body = cells(rows)
    shown = [index for index, name in enumerate(heading) if name in _COLUMNS]
    title = f"{config.model.name}, {outcome.inputs.dataset.name}, {config.retain:g} % retain data"
    table = Table(title=escape(title), box=None)
    for index in shown:
        table.add_column(heading[index], overflow="fold")
    for texts in body:
        table.add_row(*(Text(texts[index]) for index in shown))
    return table
