"""Searches beside a real MLflow server that is down, and beside servers that answer nonsense or nothing."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import pytest
from mlflow import MlflowClient

from tuning.directory import open_study

pytestmark = pytest.mark.integration


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def mlflow_server(folder, port):
    """A real MLflow server on loopback."""
    command = [Path(sys.executable).with_name("mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'server.db'}", "--workers", "1"]
    command += ["--artifacts-destination", str(folder / "server-artifacts")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, start_new_session=True, env=environment
        )
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
