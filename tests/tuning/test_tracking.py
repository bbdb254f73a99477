"""The MLflow view against real SQLite stores and a real server."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from mlflow import MlflowClient

from tuning.outcome import find_outcome
from tuning.study_file import parse_study
from tuning.tracking import EXPERIMENT, MlflowView, Tracker

pytestmark = pytest.mark.integration


def report(number, forget=0.2):
    return {
        "step": number,
        "replicate": 0,
        "elapsed_s": float(number),
        "evaluation_s": 0.1,
        "train_loss": 0.3,
        "metrics": {"validation/forget_accuracy": forget, "validation/retain_accuracy": 0.8},
    }


@pytest.fixture
def study(config, make_study, metrics):
    study = make_study(config)
    for key, (forget, retain) in enumerate([(0.0, 0.8), (0.1, 0.9)]):
        study.ask(str(key))
        study.report(str(key), report(1))
        study.report(str(key), report(2, forget))
        study.complete(str(key), metrics(forget, retain), {}, versions={"torch": "2"})
    study.ask("x")
    study.fail("x", "DivergedError: the loss is nan")
    return study


def runs_of(uri):
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id])
    children = {run.data.tags["antisample.trial"]: run for run in runs if "antisample.trial" in run.data.tags}
    (parent,) = (run for run in runs if "antisample.trial" not in run.data.tags)
    return client, parent, children


def write_all(study, uri):
    view = MlflowView(study.config, "an id", uri)
    for record in study.records():
        view.write(record)
    path = study.config.directory / "report.html"
    path.write_text("<html></html>")
    view.finish(find_outcome(study), study.records(), [path])
    return view


def test_one_parent_and_one_child_a_trial_with_params_curves_and_state(study):
    uri = study.config.mlflow_uri()
    view = write_all(study, uri)
    client, parent, children = runs_of(uri)
    assert sorted(children) == ["0", "1", "2"]
    assert all(run.data.tags["mlflow.parentRunId"] == parent.info.run_id for run in children.values())
    assert [children[n].info.status for n in "012"] == ["FINISHED", "FINISHED", "FAILED"]
    assert children["2"].data.tags["antisample.error"].startswith("DivergedError")
    assert children["0"].data.params["unlearn_scale_lr"] == "1.6"
    assert children["0"].data.tags["antisample.version.torch"] == "2"
    history = client.get_metric_history(children["1"].info.run_id, "validation/forget_accuracy")
    assert [(m.step, m.value) for m in history] == [(1, 0.2), (2, 0.1)]
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} == {"front.json", "report.html"}
    assert parent.info.status == "FINISHED"
    assert f"/#/experiments/{parent.info.experiment_id}/runs?workflowType=machine_learning" in view.link()


def test_writing_everything_again_adds_nothing(study):
    uri = study.config.mlflow_uri()
    write_all(study, uri)
    write_all(study, uri)
    client, _, children = runs_of(uri)
    assert sorted(children) == ["0", "1", "2"]
    assert len(client.get_metric_history(children["1"].info.run_id, "validation/retain_accuracy")) == 2


def test_with_replicates_the_newest_value_is_their_mean(values, make_study, metrics):
    study = make_study(parse_study({**values, "replicates": 2}))
    study.ask("a")
    for number, forget in ((1, 0.0), (2, 0.2)):
        study.report("a", report(number, forget))
    study.complete("a", metrics(0.1, 0.8), {})
    uri = study.config.mlflow_uri()
    write_all(study, uri)
    write_all(study, uri)
    client, _, children = runs_of(uri)
    assert children["0"].data.metrics["validation/forget_accuracy"] == 0.1
    history = client.get_metric_history(children["0"].info.run_id, "validation/forget_accuracy")
    assert sorted((m.step, m.value) for m in history) == [(1, 0.0), (2, 0.1), (2, 0.2)]


def test_curves_longer_than_one_batch_arrive_whole(config, make_study, metrics):
    study = make_study(config)
    study.ask("a")
    for number in range(1, 301):
        study.report("a", report(number))
    study.complete("a", metrics(0.2, 0.8), {})
    uri = study.config.mlflow_uri()
    write_all(study, uri)
    client, _, children = runs_of(uri)
    assert len(client.get_metric_history(children["0"].info.run_id, "train_loss")) == 300


@pytest.fixture
def server(tmp_path):
    """A real MLflow server on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [Path(sys.executable).with_name("mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}", "--workers", "1"]
    command += ["--artifacts-destination", str(tmp_path / "server-artifacts")]
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(240):
            with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
                if answer.status == 200:
                    break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def test_a_server_gets_the_same_as_a_file(study, server):
    write_all(study, server)
    write_all(study, server)
    client, parent, children = runs_of(server)
    assert [children[n].info.status for n in sorted(children)] == ["FINISHED", "FINISHED", "FAILED"]
    assert children["1"].data.metrics["validation/forget_accuracy"] == 0.1
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} == {"front.json", "report.html"}


def test_artifacts_of_a_local_store_lie_beside_it(study):
    uri = study.config.mlflow_uri()
    write_all(study, uri)
    _, parent, _ = runs_of(uri)
    assert parent.info.artifact_uri.startswith((study.config.runs_dir / "mlartifacts").resolve().as_uri())


def test_the_tracker_delivers_in_the_background(study):
    uri = study.config.mlflow_uri()
    tracker = Tracker(MlflowView(study.config, "an id", uri))
    for record in study.records():
        tracker.submit(record)
    assert tracker.close(find_outcome(study), study.records(), [], timeout_s=60) is None
    _, _, children = runs_of(uri)
    assert sorted(children) == ["0", "1", "2"]


def test_a_store_that_cannot_be_reached_is_a_notice_not_an_error(study, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracker = Tracker(MlflowView(study.config, "an id", "http://127.0.0.1:9"))
    for record in study.records():
        tracker.submit(record)
    assert tracker.close(find_outcome(study), study.records(), [], timeout_s=20)
