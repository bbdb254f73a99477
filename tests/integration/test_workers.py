"""How a search starts its workers and keeps them, on a real Ray."""

import os
import time
from contextlib import suppress

import overhead_trials
import psutil
import pytest
from overhead_trials import StudyTrial, study_config
from ray import cloudpickle
from ray._private.node import Node

from cluster import local_ray
from tuning.driver.capacity import TrialResources
from tuning.driver.search import search
from tuning.study.study import Study

pytestmark = pytest.mark.integration
N_WORKERS = 3


@pytest.fixture(scope="module", autouse=True)
def ray_here():
    cloudpickle.register_pickle_by_value(overhead_trials)
    with local_ray(num_cpus=N_WORKERS):
        yield


def run(tmp_path, trainable, n_trials):
    config = study_config(tmp_path, n_trials, "none", "random")
    config.directory.mkdir(parents=True)
    study = Study(config)
    assert search(study, trainable, TrialResources(1, 0), lambda: N_WORKERS)
    assert [record.state for record in study.records()] == ["COMPLETE"] * n_trials


def test_workers_start_at_the_same_time(tmp_path):
    started, alone = tmp_path / "started", tmp_path / "alone"
    started.mkdir()

    class WaitingForTheOthers(StudyTrial):
        def setup(self, config):
            (started / str(os.getpid())).touch()
            begun = time.monotonic()
            while len(list(started.iterdir())) < N_WORKERS and time.monotonic() < begun + 60:
                time.sleep(0.1)
            if len(list(started.iterdir())) < N_WORKERS:
                alone.touch()
            super().setup(config)

    run(tmp_path, WaitingForTheOthers, N_WORKERS)
    assert not alone.exists()


def test_a_worker_that_starts_slowly_is_not_given_up_for_one_that_is_ready(tmp_path):
    used = tmp_path / "used"
    used.mkdir()

    class SlowStart(StudyTrial):
        def setup(self, config):
            number = config["number"]
            if number:  # until some trials have ended beside it
                begun = time.monotonic()
                while len(list(used.glob("*.*"))) < 10 and time.monotonic() < begun + 60:
                    time.sleep(0.1)
            super().setup(config)

        def step(self):
            (used / f"{os.getpid()}.{self._trial.number}").touch()
            return super().step()

    run(tmp_path, SlowStart, 40)
    assert len({path.stem for path in used.iterdir()}) == N_WORKERS


def test_no_process_runs_that_only_a_dashboard_or_autoscaling_needs():
    commands = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # or a zombie
            commands.append(" ".join(process.cmdline()))
    assert any("gcs_server" in command for command in commands)
    assert not [c for c in commands if any(name in c for name in ("monitor.py", "dashboard/dashboard.py"))]
    assert "lambda" not in repr(Node.start_monitor)  # another Ray of this process would have it
