"""Makes the pictures in docs/images from a finished study: `make images`."""

import sys
import tempfile
from pathlib import Path

from chromium import chromium, expand, open_report, open_runs
from mlflow_server import mlflow_server
from PIL import Image
from playwright.sync_api import Browser

from tuning.directory import open_study
from tuning.tracking import sync

IMAGES = Path(__file__).parent / "images"
_COLOURS = 128


def main(directory: Path) -> None:
    """Takes the pictures of the study in `directory`."""
    IMAGES.mkdir(exist_ok=True)
    with chromium() as browser:
        take_report(browser, directory / "report.html")
        take_mlflow(browser, directory)
    for path in sorted(IMAGES.glob("*.png")):
        with Image.open(path) as image:
            small = image.convert("RGB").quantize(_COLOURS)
        small.save(path, optimize=True)
        sys.stdout.write(f"{path.relative_to(IMAGES.parent.parent)}: {path.stat().st_size // 1000} kB\n")


def take_report(browser: Browser, path: Path) -> None:
    """The report's top in light and in dark, and what it shows of the chosen trial."""
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme, viewport={"width": 1200, "height": 1250})
        open_report(page, path.resolve().as_uri())
        page.wait_for_timeout(500)
        page.screenshot(path=IMAGES / f"report-{scheme}.png")
        if scheme == "light":
            page.locator("#inside").screenshot(path=IMAGES / "report-anti-samples.png")
            page.locator("#timeline").screenshot(path=IMAGES / "report-timeline.png")
        page.close()


def take_mlflow(browser: Browser, directory: Path) -> None:
    """The study's runs in the MLflow UI, as the printed link opens them, with the parent expanded."""
    with tempfile.TemporaryDirectory() as folder, mlflow_server(Path(folder)) as uri:
        link = sync(open_study(directory), uri).link
        page = browser.new_page(viewport={"width": 1500, "height": 800})
        open_runs(page, f"{uri}{link}")
        expand(page)
        page.wait_for_timeout(1500)
        page.screenshot(path=IMAGES / "mlflow.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
