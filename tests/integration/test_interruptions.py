"""Searches that are killed, interrupted, out of time, or full of failing trials."""

import json
import os
import signal
import time

import pyarrow.parquet as pq
import pytest
import yaml
from mlflow import MlflowClient

from tuning.study.directory import open_study
from tuning.study.storage.lease import read_lease_owner

pytestmark = pytest.mark.integration


def wait_for_trials(place, process, n):
    """Waits until n trials are finished and at least one more runs."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (place.directory / "study.yaml").exists():
            states = [record.state for record in open_study(place.directory).records()]
            if states.count("COMPLETE") >= n and "RUNNING" in states:
                return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.3)
    raise TimeoutError("no trial finished")


def table(place):
    return pq.read_table(place.directory / "trials.parquet").to_pylist()


def mlflow_runs(place):
    """The runs of trials."""
    client = MlflowClient(f"sqlite:///{(place.folder / 'runs' / 'mlflow.db').resolve()}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return [run for run in client.search_runs(experiments) if "antisample.trial" in run.data.tags]


@pytest.fixture
def long(make_workplace):
    """Trials long enough to be caught running."""
    return make_workplace(n_trials=4, replicates=3, confirm_seeds=0)


@pytest.mark.slow
def test_a_killed_driver_loses_and_doubles_nothing(long):
    with long.start("run", "study.yaml") as process:
        wait_for_trials(long, process, 1)
        os.killpg(process.pid, signal.SIGKILL)
    before = {r.number: r for r in open_study(long.directory).records()}
    done = long.run("resume", "runs/small")
    assert done.code == 0, done.err
    records = open_study(long.directory).records()
    assert [r.state for r in records] == ["COMPLETE"] * 4
    assert [r.number for r in records] == [0, 1, 2, 3]
    for record in records:
        if record.number in before:
            assert record.params == before[record.number].params
            if before[record.number].state == "COMPLETE":
                assert record == before[record.number]
    assert len(table(long)) == 4


@pytest.mark.slow
def test_ctrl_c_stops_gracefully_says_how_to_resume_and_resume_works(long):
    with long.start("run", "study.yaml") as process:
        wait_for_trials(long, process, 1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Pareto front" in out
    assert "antisample resume runs/small" in out
    assert "Traceback" not in out + err
    before = {r.number: r for r in open_study(long.directory).records()}
    done = long.run("resume", "runs/small")
    assert done.code == 0, done.err
    records = open_study(long.directory).records()
    assert [(r.number, r.state) for r in records] == [(number, "COMPLETE") for number in range(4)]
    for number, record in before.items():
        assert records[number].params == record.params
        assert all(step in records[number].steps for step in record.steps), "what was reported is not done again"


@pytest.mark.parametrize("whole_group", [pytest.param(False, marks=pytest.mark.slow), True], ids=["process", "group"])
def test_sigterm_stops_gracefully_with_the_front_so_far(long, whole_group):
    """From `kill`, and from `timeout` and job systems, which send it to Ray's processes, too, and twice."""
    with long.start("run", "study.yaml", "--json") as process:
        wait_for_trials(long, process, 1)
        process.send_signal(signal.SIGTERM)
        if whole_group:
            os.killpg(process.pid, signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "Stopped. Continue with: " in err
    assert "antisample resume runs/small" in err
    assert not [word for word in ("Traceback", "***", "SIGTERM", " E ") if word in out + err]
    so_far = json.loads(out)
    assert so_far["stopped"] is True
    assert so_far["front"]
    assert read_lease_owner(long.directory) is None, "the lease is given back"
    assert not [trial for trial in open_study(long.directory).optuna_study().trials if trial.state.name == "RUNNING"]
    runs = mlflow_runs(long)
    assert {run.info.status for run in runs} <= {"SCHEDULED", "FINISHED"}
    assert "SCHEDULED" in {run.info.status for run in runs}
    done = long.run("resume", "runs/small")
    assert done.code == 0, done.err
    records = open_study(long.directory).records()
    assert [(r.number, r.state) for r in records] == [(number, "COMPLETE") for number in range(4)]
    assert [run.info.status for run in mlflow_runs(long)] == ["FINISHED"] * 4


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.7, 2, 4, 6, 8, 10, 13])
def test_sigterm_while_it_starts_is_one_sentence(make_workplace, after_s):
    place = make_workplace(n_trials=40)
    with place.start("run", "study.yaml") as process:
        time.sleep(after_s)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert (out + err).count("Stopped") == 1
    assert not [word for word in ("Traceback", "***") if word in out + err]


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once_and_resume_works(long):
    with long.start("run", "study.yaml") as process:
        wait_for_trials(long, process, 1)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)  # two signals before the process is scheduled again are one
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "antisample resume runs/small" in err
    assert "Traceback" not in out + err
    before = {r.number: r for r in open_study(long.directory).records()}
    done = long.run("resume", "runs/small")
    assert done.code == 0, done.err
    records = open_study(long.directory).records()
    assert [(r.number, r.state) for r in records] == [(number, "COMPLETE") for number in range(4)]
    assert all(records[number].params == record.params for number, record in before.items())


@pytest.mark.slow
def test_a_study_ends_with_its_time_budget(make_workplace):
    place = make_workplace(n_trials=500, time_budget_min=0.8, confirm_seeds=0, tracking_uri="none")
    started = time.monotonic()
    result = place.results("run", "study.yaml")
    assert time.monotonic() - started < 120
    assert 0 < len(table(place)) < 500
    assert result["chosen"] is not None
    assert "RUNNING" not in [record.state for record in open_study(place.directory).records()]


@pytest.mark.slow
def test_diverging_trials_fail_with_the_reason_and_too_many_end_the_study(make_workplace):
    one_at_once = {"max_concurrent": 1}  # another trial under way could fail, too
    place = make_workplace(
        n_trials=50, max_failures=2, confirm_seeds=0, published=[], space="wild.yaml", resources=one_at_once
    )
    lr = {"low": 0.5, "high": 1e35, "log": True, "why": "Most values diverge."}
    epochs = {"low": 1, "high": 8, "integer": True, "why": "Short."}
    space = {"method": "antisample", "parameters": {"unlearn_scale_lr": lr, "epochs": epochs}}
    (place.folder / "wild.yaml").write_text(yaml.safe_dump(space))
    done = place.run("run", "study.yaml")
    assert done.code == 0, done.err
    rows = table(place)
    failed = [row for row in rows if row["state"] == "FAIL"]
    assert len(failed) == 3
    assert all("DivergedError: The training loss of epoch" in row["error"] for row in failed)
    assert 0 < len(rows) - len(failed) < 50
    assert "failed" in done.out
