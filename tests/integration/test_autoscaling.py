"""Ray's own autoscaler, with machines that are processes here: they come when a study begins and go when it ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray
import yaml

from cluster.token import make_token
from tuning.study.directory import open_study

pytestmark = [pytest.mark.integration, pytest.mark.slow]

RAY = Path(sys.executable).with_name("ray")
# The driver: joins, says how many workers there are until there are two, and leaves.
DRIVER = """
import sys, time, ray
from pathlib import Path
from cluster import existing_ray
with existing_ray(sys.argv[1], Path(sys.argv[2]), ship=False, autoscaled_workers=2):
    print("first", int(ray.cluster_resources()["antisample_worker"]), flush=True)
    while ray.cluster_resources()["antisample_worker"] < 2:
        time.sleep(0.5)
    print("all", int(ray.cluster_resources()["antisample_worker"]), flush=True)
"""
COUNT = """
import sys, ray
from pathlib import Path
from cluster import existing_ray
with existing_ray(sys.argv[1], Path(sys.argv[2]), ship=False):
    print("now", int(ray.cluster_resources().get("antisample_worker", 0)))
"""


@pytest.fixture
def growing(tmp_path):
    """A head without cores whose autoscaler may start two workers; yields address, token and environment."""
    token = make_token(tmp_path / "token")
    worker = {"resources": {"CPU": 1, "antisample_worker": 1}, "node_config": {}, "min_workers": 0, "max_workers": 2}
    head = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
    config = {
        "cluster_name": "growing",
        "max_workers": 2,
        "idle_timeout_minutes": 0.1,
        "provider": {
            "type": "fake_multinode",
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
            "use_node_id_as_ip": True,
        },
        "available_node_types": {"ray.head.default": head, "worker": worker},
        "head_node_type": "ray.head.default",
        "upscaling_speed": 1.0,
        "auth": {},
        "docker": {},
        "file_mounts": {},
        "file_mounts_sync_continuously": False,
        **{f"{when}_start_ray_commands": [] for when in ("head", "worker")},
        **{f"{when}setup_commands": [] for when in ("", "head_", "worker_")},
        **{name: [] for name in ("cluster_synced_files", "initialization_commands", "rsync_exclude", "rsync_filter")},
    }
    (tmp_path / "autoscaling.json").write_text(json.dumps(config))
    address = f"{ray.util.get_node_ip_address()}:6379"  # where the machines that come look for the head
    environment = {
        **os.environ,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_FAKE_CLUSTER": "1",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [
        RAY, "start", "--head", "--block", "--port=6379", "--num-cpus=0",
        "--include-dashboard=false", f"--autoscaling-config={tmp_path / 'autoscaling.json'}",
        f"--temp-dir=/tmp/growing-{os.getpid()}",
    ]  # fmt: skip
    with (tmp_path / "head.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + 120
    while "Ray runtime started" not in (tmp_path / "head.log").read_text():
        assert process.poll() is None, (tmp_path / "head.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.5)
    yield address, token, environment
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(60)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # machines that came are processes of its group
    time.sleep(5)


@pytest.fixture
def say(growing):
    """Runs one of the programs above and returns its words."""
    address, token, environment = growing

    def say(program):
        done = subprocess.run(
            [sys.executable, "-c", program, address, token], env=environment, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return say


def wait_for_none(say):
    deadline = time.monotonic() + 180
    while say(COUNT) != ["now", "0"]:
        assert time.monotonic() < deadline, "idle machines stay"
        time.sleep(2)


def test_machines_come_when_a_study_begins_and_go_when_it_ends(say):
    assert say(COUNT) == ["now", "0"]
    words = say(DRIVER)
    assert (words[0], words[2:]) == ("first", ["all", "2"])
    wait_for_none(say)


def test_a_study_on_machines_that_come_for_it_ends_well_and_gives_them_back(growing, say, tmp_path):
    address, token, environment = growing
    study = {
        "name": "grown", "data": {"source": "digits"}, "model": {"name": "SmallCNN", "recipe": {"epochs": 4}},
        "forget": {"classes": [3]}, "n_trials": 4, "confirm_seeds": 0, "log_model": False, "memory": "none",
    }  # fmt: skip
    cluster = {
        "launcher": "existing", "address": address, "token_file": str(token), "shared_dir": str(tmp_path / "shared"),
        "ship_program": False, "autoscaled_workers": 2,
    }  # fmt: skip
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(cluster))
    command = [sys.executable, "-m", "tuning", "run", "study.yaml", "--cluster", "cluster.yaml"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Pareto front" in done.stdout
    records = open_study(tmp_path / "shared" / "runs" / "grown").records()
    assert [record.state for record in records] == ["COMPLETE"] * 4
    wait_for_none(say)
