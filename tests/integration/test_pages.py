"""What people look at: the report in a real browser, and a study in optuna-dashboard."""

import contextlib
import csv
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import optuna
import pytest
from chromium import chromium, open_report
from postgresql import postgresql, programs
from recorded_study import record_study

from tuning.study.outcome import find_outcome
from tuning.study.storage.journal import open_journal
from tuning.views.comparison.comparison import compare
from tuning.views.comparison.page import write_comparison

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return record_study(tmp_path_factory.mktemp("runs"), 60)


@pytest.fixture(scope="module")
def address(recorded, tmp_path_factory):
    """The report alone in a folder: it needs no other file."""
    path = tmp_path_factory.mktemp("elsewhere") / "report.html"
    shutil.copyfile(recorded.config.directory / "report.html", path)
    return path.as_uri()


@pytest.fixture
def open_page(browser):
    """Opens the report in a new window; its complaints and requests are noted as `said` and `asked`."""
    contexts = []

    def make(address, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        open_report(page, address)
        return page

    yield make
    for context in contexts:
        context.close()


def overflow(page):
    """Pixels that the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def test_the_report_draws_without_complaint_or_network_and_answers_hover_and_sort(open_page, address, recorded):
    page = open_page(address)
    drawn = {plot.get_attribute("id") for plot in page.query_selector_all(".plot.js-plotly-plot")}
    wanted = {"relearning", "pareto", "history", "importance", "parallel", "curves", "confusion", "timeline"}
    assert {name.split("-")[1] for name in drawn} == wanted
    # The newest trace of the front's figure, the chosen trial, lies on top.
    page.locator("#plot-pareto-0 .scatterlayer .trace").last.locator(".point").hover(force=True)
    page.wait_for_selector("#plot-pareto-0 .hoverlayer .hovertext")
    hovered = page.text_content("#plot-pareto-0 .hoverlayer")
    assert re.search(r"forget accuracy: \d+\.\d % of 29 images \(\d+ to \d+ %\)", hovered)
    titles = page.locator("#importance figcaption").all_text_contents()
    assert [title.split()[0] for title in titles[:2]] == ["Validation", "Validation"], "slices come first"
    assert "fANOVA" in page.text_content("#importance .plot:has(.barlayer) >> nth=-1")
    names = page.locator("#plot-pareto-1 .textpoint").all_text_contents()
    assert {"mask", "reference"} <= set(names), "of the trials that forget, with baselines as marks"
    first = page.evaluate("document.getElementById('plot-pareto-1').layout.yaxis.range")
    page.locator("#pareto figure").last.get_by_role("button", name="Everything").click()
    whole = page.evaluate("document.getElementById('plot-pareto-1').layout.yaxis.range")
    assert whole[0] < 84 < first[0], "trials that break the constraint are outside of the first view"
    heading = page.locator("#trials th [role=button]", has_text="validation retain accuracy")
    heading.click()
    heading.click()
    column = heading.evaluate("button => button.parentElement.cellIndex")
    values = page.eval_on_selector_all(
        "#trials tbody tr",
        f"rows => rows.map(row => parseFloat(row.cells[{column}].textContent)).filter(v => v >= 0)",
    )
    assert values == sorted(values, reverse=True)
    assert len(values) > 10
    assert page.locator("#inside img").count() == 4
    assert page.locator("#gallery img").count() == 5
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert page.asked == [address]
    assert page.said == []


def test_trials_are_filtered_chosen_downloaded_and_opened(open_page, address, recorded):
    page = open_page(address)
    rows = page.locator("#trial-table tbody tr")
    assert rows.count() == len(recorded.rows())
    page.get_by_label("Filter").fill("failed")
    assert 0 < rows.count() < 10
    assert "of 60 trials" in page.text_content("#trial-count")
    page.get_by_label("Filter").fill("")
    page.get_by_label("Front only").check()
    assert rows.count() == len(find_outcome(recorded).front)
    page.locator("#trial-columns summary").click()
    page.get_by_label("origin", exact=True).uncheck()
    assert "origin" not in page.locator("#trial-table thead").inner_text()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    lines = list(csv.DictReader(download.value.path().read_text(encoding="utf-8").splitlines()))
    assert {int(line["number"]) for line in lines} == {record.number for record in find_outcome(recorded).front}
    assert 0 <= float(lines[0]["metrics.validation/forget_accuracy"]) <= 1
    rows.locator("button").first.click()
    page.wait_for_selector("#trial-dialog .js-plotly-plot")
    assert f"--trial {lines[0]['number']} " in page.text_content("#trial-dialog pre")
    assert "unlearn_scale_lr" in page.text_content("#trial-dialog")
    assert page.said == []


def test_figures_are_drawn_when_they_come_near_the_window_and_all_on_paper(browser, address):
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(address)
    page.wait_for_selector("html[data-figures=ready]")
    drawn = page.locator(".plot.js-plotly-plot")
    assert drawn.count() < page.locator(".plot").count() / 2
    assert page.locator("#trial-table tbody button").count() == 60
    before = page.evaluate("document.body.scrollHeight")
    page.locator("#plot-timeline-0").scroll_into_view_if_needed()
    page.wait_for_selector("#plot-timeline-0.js-plotly-plot")
    assert abs(page.evaluate("document.body.scrollHeight") - before) < 40, "what is not drawn yet has its height"
    assert page.locator("#plot-parallel-0.js-plotly-plot").count() == 0, "what was passed by is not drawn"
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert drawn.count() == page.locator(".plot").count()
    page.close()


@pytest.mark.slow
def test_the_report_follows_dark_mode_and_prints_in_light(open_page, address):
    def shade(page):
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour[4:-1].split(",")[:3])

    light, dark = open_page(address), open_page(address, color_scheme="dark")
    assert shade(light) > 600
    assert shade(dark) < 150
    front = "document.getElementById('plot-pareto-0').data.at(-1).marker.color"
    assert light.evaluate(front) != dark.evaluate(front)
    dark.emulate_media(color_scheme="light")
    for _ in range(100):  # the page's own rules forbid what `wait_for_function` does
        if dark.evaluate(front) == light.evaluate(front):
            break
        dark.wait_for_timeout(100)
    assert dark.evaluate(front) == light.evaluate(front)
    assert dark.said == []
    assert len(light.pdf(format="A4")) > 20_000


def test_titles_keep_clear_of_ticks_and_percentages_end_at_a_hundred(open_page, address):
    page = open_page(address)
    covered = page.evaluate("""() => [...document.querySelectorAll('.plot')].filter((plot) => {
      const title = plot.querySelector('.ytitle'), ticks = [...plot.querySelectorAll('.ytick text')];
      const right = title && title.getBoundingClientRect().right;
      return title && ticks.some((tick) => tick.getBoundingClientRect().left < right - 1);
    }).map((plot) => plot.id)""")
    assert covered == []
    ticks = page.locator(".plot .xtick text, .plot .ytick text").all_text_contents()
    shares = [float(tick.removesuffix("%").replace("\u2212", "-")) for tick in ticks if tick.endswith("%")]
    assert len(shares) > 20
    assert (min(shares), max(shares)) == (0, 100)


def test_the_report_fits_a_phone(open_page, address):
    page = open_page(address, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    assert overflow(page) <= 0
    sizes = page.eval_on_selector_all(".plot", "plots => plots.map(plot => plot.getBoundingClientRect().height)")
    assert min(sizes) > 100
    edge = "document.querySelector('#trials .scroll').dataset.more"
    assert page.evaluate(edge) == "right", "what goes on beyond the edge fades there"
    page.evaluate("document.querySelector('#trials .scroll').scrollLeft = 1e6")
    page.wait_for_timeout(300)
    assert page.evaluate(edge) == "left"
    assert page.said == []


@pytest.fixture(scope="module")
def comparison(recorded, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    write_comparison(compare([recorded, record_study(folder, 12)]), folder / "comparison.html")
    return (folder / "comparison.html").as_uri()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_comparison_of_studies_draws_without_complaint_and_fits(open_page, comparison, width):
    page = open_page(comparison, viewport={"width": width, "height": 844})
    drawn = {plot.get_attribute("id") for plot in page.query_selector_all(".plot.js-plotly-plot")}
    assert drawn == {"plot-fronts-0", "plot-fronts-1", "plot-hypervolume-0"}
    assert page.locator("#result tbody tr").count() == 4
    assert "n_trials" in page.text_content("#settings table")
    assert overflow(page) <= 0
    assert page.asked == [comparison]
    assert page.said == []


@pytest.fixture(params=["journal", "postgresql"])
def kept(request, recorded):
    """Where the recorded study is, as optuna-dashboard takes it."""
    journal = recorded.config.directory / "journal.log"
    if request.param == "journal":
        yield str(journal)
        return
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (make system)")
    with postgresql() as address:
        optuna.copy_study(from_study_name="recorded", from_storage=open_journal(journal), to_storage=address)
        yield address


@pytest.mark.slow
def test_optuna_dashboard_opens_the_study_as_it_is(recorded, kept):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    journal = recorded.config.directory / "journal.log"
    before = journal.read_bytes()
    command = [Path(sys.executable).with_name("optuna-dashboard"), kept, "--host", "127.0.0.1", "--port", port]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            (study,) = answer(f"http://127.0.0.1:{port}/api/studies")["study_summaries"]
            assert study["study_name"] == "recorded"
            assert study["directions"] == ["minimize", "maximize", "minimize"]
            trials = answer(f"http://127.0.0.1:{port}/api/studies/{study['study_id']}?after=0")["trials"]
        finally:
            process.terminate()
    assert len(trials) == len(recorded.optuna_study().trials)
    assert journal.read_bytes() == before


def answer(address):
    """What a server says, as soon as it has started."""
    for _ in range(240):
        with contextlib.suppress(OSError), urlopen(address, timeout=10) as reply:
            return json.load(reply)
        time.sleep(0.5)
    raise TimeoutError(address)
