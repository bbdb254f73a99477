"""A study in the MLflow UI, in a real browser: the printed link, parent and trials, sorting, curves, comparing."""

import re

import pytest
from chromium import chromium
from mlflow import MlflowClient
from mlflow_pages import column, compare_address, headers, mlflow_server, open_charts, open_runs, unfold
from recorded_study import record_study

from tuning.views.mlflow import sync

pytestmark = [pytest.mark.integration, pytest.mark.slow]

FORGET, RETAIN = "metrics.`validation/forget_accuracy`", "metrics.`validation/retain_accuracy`"
NAME = "attributes.`Run Name`"


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    """A store with a study of 60 trials; its address and the link to the study."""
    folder = tmp_path_factory.mktemp("pages")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    return folder, uri, sync(record_study(folder / "runs", 60), uri).link


@pytest.fixture(scope="module")
def address(delivered):
    folder, uri, _ = delivered
    with mlflow_server(uri, folder) as address:
        yield address


@pytest.fixture
def page(address):
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1700, "height": 1000})
        page.failed = []
        page.on("pageerror", lambda error: page.failed.append(str(error)))
        yield page


@pytest.fixture
def runs(page, address, delivered):
    open_runs(page, address + delivered[2])
    return page


def test_the_link_opens_the_runs_of_the_study_with_what_matters_first(runs):
    shown = [name for name in headers(runs) if name.startswith(("metrics.", "params."))]
    assert shown[:4] == [FORGET, RETAIN, "metrics.`validation/probe_left`", "metrics.`elapsed_s`"]
    assert "recorded" in column(runs, NAME)
    assert runs.failed == []


def test_the_study_unfolds_its_trials_and_folds_them_again(runs):
    rows = "document.querySelectorAll('.ag-center-cols-container .ag-row').length"
    unfold(runs)
    runs.wait_for_function(f"{rows} > 10")
    assert column(runs, NAME)[:2] == ["recorded", "recorded/59"]
    unfold(runs)
    runs.wait_for_function(f"{rows} < 3")


def test_runs_sort_by_retain_accuracy(runs):
    runs.get_by_test_id("sort-header-validation/retain_accuracy").click()
    runs.wait_for_url(re.compile("orderByKey=metrics.*retain_accuracy"))
    for _ in range(60):
        values = [text for text in column(runs, RETAIN) if text != "-"]
        if len(values) > 10 and values == sorted(values, reverse=True):
            break
        runs.wait_for_timeout(500)
    assert len(values) > 10
    assert values == sorted(values, reverse=True)


def test_the_charts_show_the_trade_off_and_parallel_coordinates(runs, address, delivered):
    open_charts(runs, f"{address}{delivered[2]}")
    first = runs.get_by_text(re.compile(r"Trade-off|chosen/")).first
    assert first.inner_text().startswith("Trade-off")
    runs.wait_for_selector(".parcoords text.label", timeout=60_000)
    chart = runs.locator(".parcoords").first.bounding_box()
    narrow = runs.locator(".js-plotly-plot").first.bounding_box()
    assert chart["width"] > 2.5 * narrow["width"], "three of the trade-off stand beside each other, this one alone"
    axes = runs.locator(".parcoords text.label").all_text_contents()
    assert axes[:2] == ["unlear...ale_lr", "local_variance"]
    assert axes[-3:] == ["valida...curacy", "valida...curacy", "valida...e_left"]
    assert runs.failed == []


def test_a_trial_has_its_curves(page, address, delivered):
    client = MlflowClient(delivered[1])
    experiment = client.get_experiment_by_name("antisample").experiment_id
    run = client.search_runs([experiment], "tags.`antisample.trial` = '0'")[0].info.run_id
    page.goto(f"{address}/#/experiments/{experiment}/runs/{run}/model-metrics")
    page.wait_for_selector(".js-plotly-plot .scatterlayer path", timeout=120_000)
    page.get_by_text("retain_accuracy").first.wait_for()
    assert page.failed == []


def test_fifty_trials_are_compared(page, address, delivered):
    client = MlflowClient(delivered[1])
    experiment = client.get_experiment_by_name("antisample").experiment_id
    found = client.search_runs([experiment], "tags.`antisample.state` = 'COMPLETE'", max_results=50)
    found += client.search_runs([experiment], "tags.`antisample.state` = 'PRUNED'", max_results=50 - len(found))
    assert len(found) == 50
    page.goto(compare_address(address, experiment, [run.info.run_id for run in found]))
    page.get_by_text(re.compile("Comparing 50 Runs")).first.wait_for(timeout=120_000)
    page.wait_for_selector(".js-plotly-plot .parcoords", timeout=60_000)
    assert page.failed == []
