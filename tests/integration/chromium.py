"""Debian's Chromium, driven through playwright: for tests of pages, and for the pictures of the documents."""

import contextlib
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Starts the browser and stops it at the end; skips the test where it is not installed."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not installed; `make system` installs it")
    with sync_playwright() as playwright:
        # Its sandbox needs rights that containers do not give; only pages of ours are opened.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def open_report(page: Page, address: str) -> None:
    """Opens a report and goes through it from top to bottom, which draws its figures."""
    page.goto(address)
    page.wait_for_selector("html[data-figures=ready], html[data-figures=drawn]", timeout=120_000)
    for plot in page.query_selector_all(".plot"):
        plot.scroll_into_view_if_needed()
        page.wait_for_selector(f"#{plot.get_attribute('id')}.js-plotly-plot", timeout=120_000)
    page.wait_for_selector("html[data-figures=drawn]", timeout=120_000)
    page.evaluate("window.scrollTo(0, 0)")
