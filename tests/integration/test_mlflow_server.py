"""Searches beside a real MLflow server that is down, and beside servers that answer nonsense or nothing."""

import contextlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import mlflow
import pytest
import torch
from mlflow import MlflowClient
from mlflow_server import mlflow_server
from postgresql import postgresql, programs
from told_curves import reported_losses, told_losses

from tuning.study.directory import open_study

pytestmark = pytest.mark.integration


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Failing(BaseHTTPRequestHandler):
    """Answers 500 to everything."""

    def do_GET(self):
        self.send_error(500)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *arguments):
        """Says nothing."""


@contextlib.contextmanager
def failing_server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@contextlib.contextmanager
def hanging_server():
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def trials_of(uri):
    client = MlflowClient(uri)
    (experiment,) = (e for e in client.search_experiments() if e.name == "antisample")
    runs = client.search_runs([experiment.experiment_id])
    assert len([run for run in runs if "antisample.trial" not in run.data.tags]) == 1
    return sorted(int(run.data.tags["antisample.trial"]) for run in runs if "antisample.trial" in run.data.tags)


@pytest.mark.slow
def test_what_a_server_missed_is_delivered_later_and_rebuilt_elsewhere(make_workplace, tmp_path):
    port = free_port()
    place = make_workplace(n_trials=2, confirm_seeds=0, tracking_uri=f"http://127.0.0.1:{port}")
    done = place.run("run", "study.yaml")
    assert done.code == 0, done.err
    assert "mlflow sync runs/small" in done.out
    assert [record.state for record in open_study(place.directory).records()] == ["COMPLETE"] * 2
    down = place.run("mlflow", "sync", "runs/small")
    assert down.code == 1
    assert "Traceback" not in down.err
    with mlflow_server(tmp_path, port) as uri:
        sent = place.results("mlflow", "sync", "runs/small")
        assert (sent["trials"], sent["runs"]) == (2, 3)
        again = place.results("mlflow", "sync", "runs/small")
        assert (again["runs"], again["steps"], again["files"]) == (0, 0, 0)
        assert trials_of(uri) == [0, 1]
        refused = place.run("mlflow", "rebuild", "runs/small", "--tracking-uri", uri)
        assert refused.code == 2
    store = f"sqlite:///{tmp_path / 'rebuilt.db'}"
    rebuilt = place.results("mlflow", "rebuild", "runs/small", "--tracking-uri", store)
    assert rebuilt["runs"] == 3
    assert trials_of(store) == [0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("server", [failing_server, hanging_server])
def test_a_server_that_answers_nonsense_or_nothing_ends_no_search(make_workplace, server):
    with server() as uri:
        place = make_workplace(n_trials=2, confirm_seeds=0, tracking_uri=uri)
        started = time.monotonic()
        done = place.run("run", "study.yaml")
        assert time.monotonic() - started < 200
    assert done.code == 0, done.err
    assert "mlflow sync runs/small" in done.out
    assert [record.state for record in open_study(place.directory).records()] == ["COMPLETE"] * 2


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store(request):
    """The database behind an MLflow server; None for the server's own choice, SQLite."""
    if request.param == "sqlite":
        yield None
    elif programs() is None:
        pytest.skip("PostgreSQL is not installed; `make system` installs it")
    else:
        with postgresql() as address:
            yield address


def test_a_server_that_stops_and_starts_again_in_the_middle_gets_everything_once(make_workplace, tmp_path, store):
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    place = make_workplace(n_trials=8, replicates=3, confirm_seeds=0, tracking_uri=uri)
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(mlflow_server(tmp_path, port, store))
        process = stack.enter_context(place.start("run", "study.yaml"))
        wait_for_finished(place, process, 2)
        first.close()
        wait_for_finished(place, process, 4)
        stack.enter_context(mlflow_server(tmp_path, port, store))
        _, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        place.results("mlflow", "sync", "runs/small")
        assert trials_of(uri) == list(range(8))
        client = MlflowClient(uri)
        (experiment,) = (e for e in client.search_experiments() if e.name == "antisample")
        found = {record.number: record for record in open_study(place.directory).records()}
        for run in client.search_runs([experiment.experiment_id]):
            if "antisample.trial" in run.data.tags:
                record = found[int(run.data.tags["antisample.trial"])]
                assert run.data.tags["antisample.state"] == record.state
                assert told_losses(client, run.info.run_id, record) == reported_losses(record)


def wait_for_finished(place, process, n):
    """Waits until n trials are finished."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        ready = (place.directory / "journal.log").exists() and (place.directory / "study.yaml").exists()
        if ready and sum(r.state == "COMPLETE" for r in open_study(place.directory).records()) >= n:
            return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.2)
    raise TimeoutError(f"fewer than {n} trials")


@pytest.mark.slow
def test_a_search_logs_its_chosen_model_which_loads_and_is_registered(make_workplace, monkeypatch):
    place = make_workplace(n_trials=2, confirm_seeds=0, log_model=True)
    outcome = place.results("run", "study.yaml", "--register", "forgets-3")
    assert outcome["registered_version"] == 1
    sent = place.results("mlflow", "sync", "runs/small", "--register", "forgets-3")
    assert (sent["models"], sent["version"]) == (0, 1), "the search has logged and registered it"
    assert {path.name for path in place.folder.iterdir()} == {"study.yaml", "runs"}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place.folder / 'runs' / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    model = mlflow.pytorch.load_model("models:/forgets-3/1")
    assert model(torch.zeros(5, 1, 8, 8)).shape == (5, 10)
    assert mlflow.models.get_model_info("models:/forgets-3/1").metadata["trial"] == outcome["chosen"]["number"]
