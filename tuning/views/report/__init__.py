"""The HTML report of a study: one file that opens offline, with figures, tables and everything behind them."""

from pathlib import Path

from antisample.storage.atomic import atomic_write
from tuning.study.reader import StudyReader
from tuning.views.plain_values import storable
from tuning.views.report.page import render_report

__all__ = ["render_report", "write_report"]


def write_report(study: StudyReader, path: Path) -> None:
    """Writes the report in one step: a reader sees the old file or the new one.

    Args:
        study: May still be under way.
        path: Where to.
    """
    with atomic_write(path) as unfinished:
        unfinished.write_text(storable(render_report(study)), encoding="utf-8")
