"""Makes the pictures in docs/images from a finished study: `make images`."""

import sys
import tempfile
from pathlib import Path

from chromium import chromium, open_report
from mlflow_pages import mlflow_server, open_charts, open_runs, unfold
from PIL import Image
from playwright.sync_api import Browser

from tuning.study.directory import open_study
from tuning.views.mlflow import StudyMetadata
from tuning.views.mlflow.runs import StudyRuns

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
    """The study's runs in the MLflow UI, as a table and as charts."""
    study = open_study(directory)
    uri = study.config.mlflow_uri()
    if uri is None:
        raise ValueError(f"{directory} was not tracked in MLflow.")
    runs = StudyRuns(StudyMetadata.of(study), uri)
    runs.connect()
    with tempfile.TemporaryDirectory() as folder, mlflow_server(uri, Path(folder)) as address:
        page = browser.new_page(viewport={"width": 1500, "height": 820})
        open_runs(page, f"{address}{runs.link()}")
        page.get_by_label("Close", exact=True).click()  # MLflow's assistant
        unfold(page)
        page.wait_for_timeout(2000)
        page.screenshot(path=IMAGES / "mlflow-runs.png")
        open_charts(page, f"{address}{runs.link()}")
        page.wait_for_timeout(2000)
        page.screenshot(path=IMAGES / "mlflow-charts.png")
        page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
