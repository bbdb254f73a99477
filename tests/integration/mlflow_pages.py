"""MLflow's own pages of one study, for tests and for the pictures of the documents."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

from playwright.sync_api import Page

_ROWS = ".ag-center-cols-container .ag-row"


@contextlib.contextmanager
def mlflow_server(uri: str, folder: Path) -> Iterator[str]:
    """Runs MLflow's server over a store for the length of a `with` block; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [Path(sys.executable).with_name("mlflow"), "ui", "--backend-store-uri", uri, "--host", "127.0.0.1"]
    with (folder / "mlflow.log").open("w") as log:
        process = subprocess.Popen(
            [*map(str, command), "--port", str(port), "--workers", "1"],
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            if process.poll() is not None:
                raise RuntimeError((folder / "mlflow.log").read_text())
            with contextlib.suppress(OSError), urlopen(f"{address}/health", timeout=10):
                break
            time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def open_runs(page: Page, address: str) -> None:
    """Opens the link that a search prints, and waits for the table of its runs."""
    page.goto(address)
    page.wait_for_selector(_ROWS, timeout=120_000)


def unfold(page: Page) -> None:
    """Shows the trials of a study below its run, or folds them away again."""
    page.locator(".ag-row button[data-component-id$='runnamecellrenderer.tsx_46']").first.click()


def open_charts(page: Page, address: str) -> None:
    """Opens the same link with charts instead of the table, and waits until the trade-off is drawn."""
    page.goto(f"{address}&compareRunsMode=CHART")
    page.wait_for_selector(".ag-row", timeout=120_000)
    unfold(page)
    drawn = "document.querySelectorAll('.js-plotly-plot .scatterlayer .point').length > {n}"
    page.wait_for_function(drawn.format(n=10), timeout=120_000)


def column(page: Page, name: str) -> list[str]:
    """The values of a column of the table, from top to bottom, as far as they are on the screen."""
    found = page.eval_on_selector_all(
        f'.ag-row .ag-cell[col-id="{name}"]',
        "cells => cells.map(cell => [cell.getBoundingClientRect().top, cell.innerText.trim().split('\\n').pop()])",
    )
    return [text for _, text in sorted(found)]


def headers(page: Page) -> list[str]:
    """Names of the columns from left to right, as far as they are on the screen."""
    found = page.eval_on_selector_all(
        ".ag-header-cell[col-id]",
        "cells => cells.map(cell => [cell.getBoundingClientRect().left, cell.getAttribute('col-id')])",
    )
    return [name for _, name in sorted(found)]


def compare_address(address: str, experiment: str, runs: list[str]) -> str:
    """MLflow's page that compares runs."""
    shown, within = quote(json.dumps(runs)), quote(json.dumps([experiment]))
    return f"{address}/#/compare-runs?runs={shown}&experiments={within}"
