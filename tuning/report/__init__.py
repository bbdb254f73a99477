"""The HTML report of a study: one file that opens offline, with figures, tables and everything behind them."""

import os
from pathlib import Path

from tuning.report.page import render_report
from tuning.study import Study

__all__ = ["render_report", "write_report"]


def write_report(study: Study, path: Path) -> None:
    """Writes the report in one step: a reader sees the old file or the new one.

    Args:
        study: May still be under way.
        path: Where to.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(render_report(study), encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
