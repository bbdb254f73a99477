"""Tables whose figures are whole in any terminal: fewer columns where it is narrow, else a line for each figure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from tuning.views.plain_values import as_ascii

_LONGEST_WORD = 14
"""Words of a text may be parted where they are longer; figures never are."""
_NOTE = " ["


@dataclass(frozen=True)
class Column:
    """A column of a `FittedTable`.

    Attributes:
        heading: May be broken between words.
        rank: Columns of a higher rank are left out first; those of rank 0 never are.
        text: Whether it holds text, which may be broken, and not figures, which stand at the right.
        note_rank: As `rank`, of what stands in brackets behind its figures; 0 where there is nothing.
    """

    heading: str
    rank: int = 0
    text: bool = False
    note_rank: int = 0


class FittedTable:
    """A table that leaves columns out until its figures fit, and ends as a list of names and figures.

    Args:
        title: Stands above it.
        columns: From left to right; the first names the row.
        legend: What the brackets behind figures mean; follows the title where there are any.
    """

    def __init__(self, title: str, columns: Sequence[Column], legend: str = "") -> None:
        self.title, self.columns, self.legend = title, tuple(columns), legend
        self.rows: list[tuple[str, ...]] = []

    def add_row(self, *texts: str) -> None:
        """Adds a row, a text for each column; missing ones are empty."""
        self.rows.append((*texts, *[""] * (len(self.columns) - len(texts))))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Renders the widest form that fits."""
        plain = options.ascii_only
        whole = [[as_ascii(text) if plain else text for text in row] for row in self.rows]
        ranks = {rank for column in self.columns for rank in (column.rank, column.note_rank)}
        for rank in sorted(ranks, reverse=True):
            rows = [self._with_notes(row, rank) for row in whole]
            title = self._title(rows, plain=plain)
            places = [place for place, column in enumerate(self.columns) if column.rank <= rank]
            for boxed in (True, False) if rank == 0 else (True,):
                widths = self._widths(
                    places, rows, options.max_width - (3 * len(places) + 1 if boxed else len(places) - 1)
                )
                if widths is not None:
                    yield self._table(title, places, widths, rows, boxed=boxed)
                    return
        yield from self._list(self._title(whole, plain=plain), whole, options.max_width)

    def _with_notes(self, row: Sequence[str], rank: int) -> list[str]:
        """A row without the notes of a higher rank."""
        stays = [column.note_rank <= rank for column in self.columns]
        return [text if whole else text.partition(_NOTE)[0] for text, whole in zip(row, stays, strict=True)]

    def _title(self, rows: Sequence[Sequence[str]], *, plain: bool) -> str:
        noted = [place for place, column in enumerate(self.columns) if column.note_rank]
        has_notes = self.legend and any(_NOTE in row[place] for row in rows for place in noted)
        title = f"{self.title}; {self.legend}" if has_notes else self.title
        return as_ascii(title) if plain else title

    def _widths(self, places: Sequence[int], rows: Sequence[Sequence[str]], room: int) -> list[int] | None:
        """How wide each column is; None if they do not fit."""
        least, most = [], []
        for place in places:
            column, texts = self.columns[place], [row[place] for row in rows]
            heading = _longest_word(column.heading)
            widest = max([cell_len(text) for text in texts], default=0)
            longest = max(map(_least_width, texts), default=0)
            least.append(max(heading, longest if column.text else widest))
            most.append(max(cell_len(column.heading), widest))
        if sum(least) > room:
            return None
        widths = list(least)
        for at in sorted(range(len(places)), key=lambda at: (self.columns[places[at]].text, most[at])):
            widths[at] += min(most[at] - least[at], room - sum(widths))
        return widths

    def _table(
        self, title: str, places: Sequence[int], widths: Sequence[int], rows: Sequence[Sequence[str]], *, boxed: bool
    ) -> Table:
        table = Table(title=Text(title), title_justify="left")
        if not boxed:
            table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
        for place, width in zip(places, widths, strict=True):
            column = self.columns[place]
            at_left = column.text or (place == 0 and not boxed)
            table.add_column(
                Text(column.heading), justify="left" if at_left else "right", width=width, overflow="fold"
            )
        for row in rows:
            table.add_row(*(Text(row[place]) for place in places))
        return table

    def _list(self, title: str, rows: Sequence[Sequence[str]], width: int) -> Iterator[Text]:
        """A line for each figure; the name and the figure on lines of their own where both are too long for one."""
        yield Text(title, style="italic", overflow="fold")
        for row in rows:
            yield Text("")
            for column, text in zip(self.columns, row, strict=True):
                if text:
                    together = f"{column.heading} {text}".strip()
                    wide = cell_len(together) > width and not column.text
                    yield Text(f"{column.heading}\n{text}" if wide else together, overflow="fold")


def _least_width(text: str) -> int:
    """Of a text whose words may be parted where they are long and hold no figure."""
    words = text.split()
    return max(
        (cell_len(w) if any(c.isdigit() for c in w) else min(cell_len(w), _LONGEST_WORD) for w in words), default=0
    )


def _longest_word(text: str) -> int:
    return max((cell_len(word) for word in text.split()), default=0)
