"""A study in PostgreSQL whose server goes away, and whose driver dies and goes on at another host."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import optuna
import psycopg
import pytest
from postgresql import postgresql_server, programs

from tuning.config.loading import parse_study
from tuning.study.directory import open_study
from tuning.study.storage.lease import lease_backend

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed (make system)"),
]

TRIVIAL_SEARCH = """
import sys, time, yaml
from tuning.study.storage.lease import held_lease, lease_backend
from tuning.study.study import Study
from tuning.config.loading import parse_study

config = parse_study(yaml.safe_load(sys.stdin))
config.directory.mkdir(parents=True, exist_ok=True)
with held_lease(lease_backend(config)) as lease:
    study = Study(config, lease)
    print("begun", flush=True)
    n = 0
    while not study.is_over():
        key, n = f"{lease.token} {n}", n + 1
        record = study.ask(key)
        for step in range(record.fidelity + 1, 4):
            figures = {"validation/forget_accuracy": record.number / 100, "validation/retain_accuracy": 0.9}
            study.report(key, {"step": step, "replicate": 0, "elapsed_s": 0.1 * step, "evaluation_s": 0.0,
                               "train_loss": 1.0, "metrics": figures, "last": step == 3})
            time.sleep(0.02)
        study.complete(key, {**figures, "validation/forget_confidence": 0.5}, {})
"""


@pytest.fixture(scope="module")
def server():
    with postgresql_server() as running:
        yield running


@pytest.fixture
def config(server, tmp_path, request):
    return parse_study(
        {
            "name": "trivial",
            "study_name": request.node.name,
            "runs_dir": str(tmp_path),
            "memory": "none",
            "data": {"source": "digits"},
            "model": {"name": "SmallCNN"},
            "forget": {"classes": [3]},
            "evaluation": {"final": ["membership", "zrf"]},
            "sampler": "random",
            "n_trials": 25,
            "storage": server.address,
        }
    )


def start(config, *prefix):
    process = subprocess.Popen(
        [*prefix, sys.executable, "-c", TRIVIAL_SEARCH],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    process.stdin.write(config.to_yaml())
    process.stdin.close()
    process.stdin = None
    return process


def wait_for_trials(config, process, n, timeout_s=120):
    assert process.stdout.readline() == "begun\n", process.stderr.read()
    with psycopg.connect(config.storage.replace("+psycopg", ""), autocommit=True) as connection:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            (done,) = connection.execute(
                "SELECT count(*) FROM trials JOIN studies USING (study_id) WHERE state = 'COMPLETE' "
                "AND study_name = %s",
                [config.study_name],
            ).fetchone()
            if done >= n:
                return
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
    raise TimeoutError(f"fewer than {n} trials in {timeout_s} s")


def assert_each_trial_is_there_once(config):
    config.directory.mkdir(exist_ok=True)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    found = open_study(config.directory, storage=config.storage).records()
    assert [record.number for record in found] == list(range(config.n_trials))
    assert {record.state for record in found} == {"COMPLETE"}
    for record in found:
        assert [step.step for step in record.steps] == [1, 2, 3]
        assert record.values[0] == record.number / 100
    assert lease_backend(config).read() is None


def finish(process, timeout=300):
    _, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, err
    return err


def test_a_search_goes_on_when_its_server_freezes_and_restarts(server, config):
    process = start(config)
    wait_for_trials(config, process, 5)
    with server.frozen():
        time.sleep(2)
        assert process.poll() is None
    wait = threading.Event()
    for _ in range(2):
        server.stop()
        wait.wait(1)
        server.start()
        wait.wait(0.5)
    finish(process)
    assert_each_trial_is_there_once(config)


@pytest.mark.slow
def test_a_search_goes_on_when_its_server_is_away_for_half_a_minute(server, config):
    process = start(config)
    wait_for_trials(config, process, 5)
    server.stop()
    time.sleep(30)
    assert process.poll() is None
    server.start()
    assert "waiting up to 300 s" in finish(process)
    assert_each_trial_is_there_once(config)


@pytest.mark.slow
def test_a_killed_driver_is_followed_by_one_on_another_host(config):
    """Other hosts are other UTS namespaces: with names of their own, and nothing else to tell them apart by."""
    probe = subprocess.run(["unshare", "--uts", "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"no right to make a namespace ({probe.stderr.strip()})")

    def on_host(name):
        return ["unshare", "--uts", "sh", "-c", f'hostname {name} && exec "$0" "$@"']

    first = start(config, *on_host("first"))
    wait_for_trials(config, first, 10)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    before = [trial for trial in plain_optuna(config).trials if trial.state.is_finished()]
    shutil.rmtree(config.directory)
    second = start(config, *on_host("second"))
    _, err = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "is being searched by process" in err
    assert "on first since" in err, "its silence is not long enough to call it dead"
    time.sleep(61)
    finish(start(config, *on_host("second")))
    assert_each_trial_is_there_once(config)
    after = plain_optuna(config).trials
    assert [after[trial.number] for trial in before] == before


def plain_optuna(config):
    """As `optuna-dashboard` opens it."""
    return optuna.load_study(storage=config.storage, study_name=config.study_name)


@pytest.mark.slow
def test_a_real_search_is_resumed_from_its_directory_alone_and_shows_no_password(server, make_workplace, monkeypatch):
    address = server.add_user("careful", "swordfish")
    place = make_workplace(n_trials=3, confirm_seeds=0)
    place.environment["PGPASSWORD"] = "swordfish"
    with place.start("run", "study.yaml", "--set", f"storage={address}") as process:
        deadline = time.monotonic() + 400
        while not ((place.directory / "study.yaml").exists() and reported(server, "small")):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.5)
        os.killpg(process.pid, signal.SIGKILL)
        output = "".join(process.communicate())
    del place.environment["PGPASSWORD"]
    refused = place.run("resume", "runs/small")
    assert (refused.code, "Traceback" in refused.err) == (2, False)
    assert "no password supplied" in refused.err
    passwords = place.folder / "passwords"
    passwords.write_text("127.0.0.1:*:*:careful:swordfish\n")
    passwords.chmod(0o600)
    place.environment["PGPASSFILE"] = str(passwords)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    done = place.run("resume", "runs/small")
    assert done.code == 0, done.err
    study = open_study(place.directory)
    assert study.config.storage == address
    assert [record.state for record in study.records()] == ["COMPLETE"] * 3
    assert place.results("report", "runs/small")["hypervolume"] > 0
    assert not (place.directory / "journal.log").exists()
    assert lease_backend(study.config).read() is None
    other = place.run("run", "study.yaml", "--set", f"storage={address}", "--set", "study_name=other")
    assert other.code == 2
    assert "is not there" in other.err
    assert [record.state for record in open_study(place.directory).records()] == ["COMPLETE"] * 3
    passwords.unlink()
    assert "swordfish" not in output + refused.err + done.out + done.err + other.err
    for path in place.folder.rglob("*"):
        assert not path.is_file() or b"swordfish" not in path.read_bytes(), path


def reported(server, study_name):
    """Whether a trial of the study has reported an epoch."""
    with psycopg.connect(server.address.replace("+psycopg", "")) as connection:
        (n,) = connection.execute(
            "SELECT count(*) FROM trial_user_attributes JOIN trials USING (trial_id) JOIN studies USING (study_id) "
            "WHERE study_name = %s AND key LIKE 'report.%%'",
            [study_name],
        ).fetchone()
    return n > 0
