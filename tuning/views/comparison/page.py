"""The page of a comparison: one file that opens offline, made of the same parts as a report."""

from pathlib import Path

from antisample.errors import ConfigError
from antisample.storage.atomic import atomic_write
from antisample.storage.regular_files import read_start
from tuning.views.comparison.comparison import Comparison
from tuning.views.comparison.figures import front_figures, hypervolume_figures
from tuning.views.comparison.tables import result_tables
from tuning.views.plain_values import finite, storable
from tuning.views.report.page import page_template, plotly_script

_MARK = b'<meta name="generator" content="antisample comparison">'
_HEAD = 1000


def render_comparison(comparison: Comparison) -> str:
    """The page as HTML. The same studies always give the same text."""
    sections = {"fronts": front_figures(comparison), "hypervolume": hypervolume_figures(comparison)}
    drawn = {f"{key}-{i}": figure for key, (titled, _) in sections.items() for i, (_, figure) in enumerate(titled)}
    return page_template("comparison.html.jinja", __package__).render(
        comparison=comparison,
        tables=result_tables(comparison),
        sections=sections,
        drawn=finite(drawn),
        plotly=plotly_script(),
    )


def check_target(path: Path) -> None:
    """Makes sure that a page written here replaces nothing but an earlier comparison.

    Raises:
        ConfigError: If something else is there.
    """
    if not path.exists() and not path.is_symlink():
        return
    try:
        is_ours = path.is_file() and _MARK in read_start(path, _HEAD)
    except OSError:
        is_ours = False
    if not is_ours:
        raise ConfigError(f"`--out` must be a new file or an earlier comparison, but {path} is something else.")


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Writes the page in one step: a reader sees the old file or the new one.

    Raises:
        DataError: If it cannot be written.
    """
    text = storable(render_comparison(comparison))
    with atomic_write(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
