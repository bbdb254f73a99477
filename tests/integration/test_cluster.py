"""Searches over several hosts: one joins, one dies, one is cut off, and the driver moves.

The first host has Ray's head, PostgreSQL with the study and MLflow's runs, MLflow behind a password, and S3 with
checkpoints and models; there is a folder in common, as over NFS, for the study's directory and the cache.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError
from urllib.request import urlopen

import psycopg
import pyarrow.parquet as pq
import pytest
import yaml
from hosts import missing, several_hosts
from postgresql import postgresql_server, programs
from s3_server import s3_server

from cluster.token import make_token

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(missing() is not None, reason=f"no several hosts here: {missing()}"),
    pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed (make system)"),
]

PROGRAM = Path(sys.executable).with_name("antisample")
RAY = Path(sys.executable).with_name("ray")
PORT = 6399
MLFLOW_PORT = 5000
N_TRIALS = 10


@pytest.fixture
def place(tmp_path):
    """Three hosts with a folder in common; the first one leads, the others have a worker each."""
    token = make_token(tmp_path / "secrets" / "token")
    environment = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_raylet_start_wait_time_s": "120",  # all hosts and servers may share two slow cores
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with (
        several_hosts(3) as hosts,
        postgresql_server(hosts.address(0), hosts.within(0)) as database,
        s3_server(hosts.address(0), hosts.within(0)) as s3,
    ):

        def ray(host, *words):
            address = ["--node-ip-address", hosts.address(host)]
            command = [RAY, "start", "--block", "--disable-usage-stats", *address, *words]
            return hosts.start(host, command, tmp_path, environment, tmp_path / f"ray-{host}.log")

        def join(host):
            return ray(host, "--address", f"{hosts.address(0)}:{PORT}", "--num-cpus", "1")

        # No trials on the first host, which only leads.
        ray(0, "--head", "--port", str(PORT), "--num-cpus", "0", "--include-dashboard", "false")
        runs = database.add_database("mlflow")
        tracking = f"{hosts.address(0)}:{MLFLOW_PORT}"
        words = ["cluster", "services", "--database", runs, "--artifacts", str(tmp_path / "mlartifacts")]
        words += ["--folder", str(tmp_path / "mlflow"), "--host", hosts.address(0), "--allowed-host", tracking]
        hosts.start(0, [PROGRAM, *words], tmp_path, environment, tmp_path / "mlflow.log")
        _wait(lambda: "Ray runtime started" in (tmp_path / "ray-0.log").read_text(), "Ray's head did not start")
        join(1), join(2)
        cluster = {
            "launcher": "existing",
            "address": f"{hosts.address(0)}:{PORT}",
            "token_file": str(token),
            "shared_dir": str(tmp_path),
            "tracking_uri": f"http://{tracking}",
        }
        (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(cluster))
        study = {
            "name": "wide",
            "storage": database.address,
            "storage_path": s3.address("runs"),
            "memory": "none",
            "data": {"source": "digits"},
            "model": {"name": "SmallCNN", "recipe": {"epochs": 6, "batch_size": 64}},
            "forget": {"classes": [3]},
            "published": ["ResNet9/mnist/100"],
            "n_trials": N_TRIALS,
            "replicates": 9,
            "confirm_seeds": 0,
            "sampler": "random",
        }
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
        _wait(lambda: _answers(f"http://{tracking}/health"), "MLflow did not start")
        for host in (1, 2):
            log = tmp_path / f"ray-{host}.log"
            _wait(lambda log=log: "Ray runtime started" in log.read_text(), f"host {host} did not join")
        user = {"MLFLOW_TRACKING_USERNAME": "admin"}
        user["MLFLOW_TRACKING_PASSWORD"] = (tmp_path / "mlflow" / "admin-password").read_text()

        def antisample(host, *words):
            command = [PROGRAM, *words]
            return hosts.start(host, command, tmp_path, {**environment, **user}, tmp_path / f"driver-{host}.log")

        yield SimpleNamespace(
            hosts=hosts, folder=tmp_path, environment=environment, join=join, antisample=antisample,
            database=database.address.replace("+psycopg", ""), runs=runs, s3=s3,
            search=lambda *words: antisample(0, "run", "study.yaml", "--cluster", "cluster.yaml", *words),
        )  # fmt: skip


def test_a_search_uses_every_host(place):
    search = place.search("--set", "n_trials=6", "--set", "replicates=4")
    assert _ended(place, search) == 0, _log(place)
    assert set(_whole(place, 6)) == {"host-1", "host-2"}


@pytest.mark.slow
def test_wrong_and_missing_tokens_are_turned_away(place):
    (place.folder / "wrong").write_text("0" * 64)
    (place.folder / "wrong").chmod(0o600)
    cluster = yaml.safe_load((place.folder / "cluster.yaml").read_text())
    for name, token in (("wrong.yaml", str(place.folder / "wrong")), ("none.yaml", str(place.folder / "absent"))):
        (place.folder / name).write_text(yaml.safe_dump({**cluster, "token_file": token}))
        refused = place.antisample(0, "run", "study.yaml", "--cluster", name)
        assert _ended(place, refused) == 2, _log(place)
    assert not (place.folder / "runs" / "wide").exists()
    assert "Traceback" not in _log(place)


@pytest.mark.slow
def test_a_check_says_what_is_good_and_what_to_do(place):
    assert _ended(place, place.antisample(0, "cluster", "check", "cluster.yaml")) == 0, _log(place)
    good = " ".join(_log(place).split())
    for said in (
        f"torch {version('torch')}",
        "on every node",
        "all four packages from one place",
        "reads and writes",
        "clock within 1 s",
    ):
        assert said in good
    assert good.count("reads and writes") == 3
    cluster = yaml.safe_load((place.folder / "cluster.yaml").read_text())
    gone = f"http://{place.hosts.address(0)}:1"
    (place.folder / "gone.yaml").write_text(yaml.safe_dump({**cluster, "tracking_uri": gone}))
    assert _ended(place, place.antisample(0, "cluster", "check", "gone.yaml")) == 1
    assert f"bad {gone} does not answer" in " ".join(_log(place).split())


@pytest.mark.slow
def test_a_host_dies_in_the_middle(place):
    search = place.search()
    _wait_for_trials(place, 3)
    place.hosts.power_off(2)
    assert _ended(place, search) == 0, _log(place)
    assert "host-1" in _whole(place)


@pytest.mark.slow
def test_a_host_is_cut_off_for_half_a_minute(place):
    search = place.search()
    _wait_for_trials(place, 3)
    place.hosts.cut_off(2)
    time.sleep(30)
    place.hosts.heal(2)
    assert _ended(place, search) == 0, _log(place)
    _whole(place)


@pytest.mark.slow
def test_a_host_joins_during_the_search(place):
    search = place.search("--set", "replicates=20", "--set", "n_trials=8")  # long enough for it to start
    _wait_for_trials(place, 1)
    place.join(place.hosts.add())
    assert _ended(place, search) == 0, _log(place)
    assert "host-3" in _whole(place, 8)


@pytest.mark.slow
def test_the_driver_dies_and_the_study_goes_on_from_another_host(place):
    search = place.search()
    _wait_for_trials(place, 3)
    place.hosts.kill(search)
    before = {trial["number"]: trial for trial in _trials(place) if trial["state"] == "COMPLETE"}
    deadline = time.monotonic() + 180
    while True:  # the lease of a driver on another host is over when it has not been heard of for a minute
        resumed = place.antisample(1, "resume", "runs/wide", "--cluster", "cluster.yaml")
        if _ended(place, resumed) == 0:
            break
        assert "is being searched by process" in _log(place, 1)
        assert time.monotonic() < deadline
        time.sleep(10)
    _whole(place)
    after = {trial["number"]: trial for trial in _trials(place)}
    assert all(after[number] == trial for number, trial in before.items())


def _whole(place, n_trials=N_TRIALS) -> Counter:
    """Exactly n_trials, none lost and none twice, in the study, in MLflow and in the table; trials by host."""
    trials = _trials(place)
    assert [trial["number"] for trial in trials] == list(range(len(trials)))
    complete = {trial["number"] for trial in trials if trial["state"] == "COMPLETE"}
    assert len(complete) == n_trials
    assert not [trial for trial in trials if trial["state"] == "RUNNING"]
    table = pq.read_table(place.folder / "runs" / "wide" / "trials.parquet").to_pylist()
    assert sorted(row["number"] for row in table if row["state"] == "COMPLETE") == sorted(complete)
    assert place.s3.keys("runs/wide/models/")
    assert not place.s3.keys("runs/wide/checkpoints/")
    with psycopg.connect(place.runs) as database:
        tags = database.execute("SELECT key, value FROM tags").fetchall()
    runs = [int(value) for key, value in tags if key == "antisample.trial"]
    assert sorted(runs) == [trial["number"] for trial in trials]
    return Counter(value.split("/")[0] for key, value in tags if key == "antisample.worker")


def _trials(place) -> list[dict]:
    code = (
        "import json, sys; from pathlib import Path; from tuning.study.directory import open_study\n"
        "records = open_study(Path('runs/wide')).records()\n"
        "print(json.dumps([{'number': r.number, 'state': r.state, 'params': r.params} for r in records]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place.folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _wait_for_trials(place, count) -> None:
    def ended():
        with contextlib.suppress(psycopg.errors.UndefinedTable), psycopg.connect(place.database) as database:
            (found,) = database.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone()
            return found >= count
        return False

    _wait(ended, f"there were not {count} trials")


def _log(place, host=0) -> str:
    return (place.folder / f"driver-{host}.log").read_text()


def _answers(address) -> bool:
    try:
        urlopen(address, timeout=5).close()
    except (URLError, OSError):
        return False
    return True


def _ended(place, process) -> int:
    return process.wait(900)


def _wait(condition, complaint) -> None:
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.5)
