"""A study directory of version 0.1.0, killed half way, in the hands of this version (tests/fixtures/study-0.1.0)."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from tuning.study.directory import open_study

pytestmark = pytest.mark.integration

FIXTURE = Path(__file__).parents[1] / "fixtures" / "study-0.1.0"
COMPLETE_BEFORE = [0, 1, 2, 3]


@pytest.fixture
def place(make_workplace):
    place = make_workplace()
    shutil.copytree(FIXTURE / "digits", place.folder / "runs" / "digits")
    shutil.copytree(FIXTURE / "cache", place.folder / "runs" / "cache")
    return place


def table(place):
    return {row["number"]: row for row in pq.read_table(place.folder / "runs/digits/trials.parquet").to_pylist()}


def records(place):
    return {record.number: record for record in open_study(place.folder / "runs/digits").records()}


def test_its_card_holds_and_its_trials_are_reported(place):
    verified = place.run("verify", "runs/digits/unlearned/card.json")
    assert verified.code == 0, verified.out + verified.err
    assert " 0 differ" in verified.out

    report = place.results("report", "runs/digits")
    assert {number: row["state"] for number, row in table(place).items()} == dict.fromkeys(
        COMPLETE_BEFORE, "COMPLETE"
    )
    states = {number: record.state for number, record in records(place).items()}
    assert states == dict.fromkeys(COMPLETE_BEFORE, "COMPLETE") | {4: "RUNNING", 5: "RUNNING"}
    assert report["chosen"]["number"] == 0
    assert (place.folder / "runs/digits/report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_its_trials_are_applied(place):
    applied = place.run("unlearn", "--study", "runs/digits", "--trial", "best", "--out", "again")
    assert applied.code == 0, applied.err
    cards = [
        json.loads((place.folder / name / "card.json").read_text()) for name in ("runs/digits/unlearned", "again")
    ]
    assert cards[0]["seed"] == cards[1]["seed"]
    before, now = (card["config"] for card in cards)
    assert before["method"].items() <= now["method"].items(), "hyperparameters since then have their defaults"
    assert {**before, "method": None} == {**now, "method": None}
    assert cards[0]["origin"] == cards[1]["origin"]


def test_it_is_resumed_where_it_was_killed(place):
    before = [json.loads(line) for line in (FIXTURE / "digits/journal.log").read_text().splitlines()]
    earlier = records(place)
    done = place.run("resume", "runs/digits")
    assert done.code == 0, done.err
    assert "Running 8 trials (4 already finished)" in done.out

    lines = (place.folder / "runs/digits/journal.log").read_text().splitlines()
    assert [json.loads(line) for line in lines[: len(before)]] == before, "the journal is continued, not rewritten"
    later = records(place)
    assert {number: record.state for number, record in later.items()} == dict.fromkeys(range(8), "COMPLETE")
    for number, record in earlier.items():
        assert record.params.items() <= later[number].params.items(), "what was suggested stays"
        assert all(step in later[number].steps for step in record.steps), "what was reported is not done again"
    assert [later[number] for number in COMPLETE_BEFORE] == [earlier[number] for number in COMPLETE_BEFORE]
    assert sorted(table(place)) == [*range(8)]
    client = MlflowClient(f"sqlite:///{place.folder}/runs/mlflow.db")
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert sorted(int(run.data.tags["antisample.trial"]) for run in runs if "antisample.trial" in run.data.tags) == [
        *range(8)
    ]
