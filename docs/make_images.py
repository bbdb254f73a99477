"""Makes the pictures in docs/images from a finished study: `make images`."""

import sys
from pathlib import Path

from chromium import chromium, open_report
from PIL import Image
from playwright.sync_api import Browser

IMAGES = Path(__file__).parent / "images"
_COLOURS = 128


def main(directory: Path) -> None:
    """Takes the pictures of the study in `directory`."""
    IMAGES.mkdir(exist_ok=True)
    with chromium() as browser:
        take_report(browser, directory / "report.html")
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
