"""Studies as jobs of a real Slurm: to the end, queued again in the middle, cancelled and resumed."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import yaml
from slurm_cluster import missing, slurm

from tuning.study.directory import open_study

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(missing() is not None, reason=f"no Slurm here: {missing()}"),
]

PROGRAM = Path(sys.executable).with_name("antisample")
N_TRIALS = 4
PATIENCE_S = 1200  # beside other work


@pytest.fixture(scope="module")
def queue():
    with slurm() as running:
        yield running


@pytest.fixture
def place(tmp_path, queue):
    """A folder with a study and a Slurm to send it to."""
    cluster = {
        "launcher": "slurm",
        "shared_dir": str(tmp_path / "shared folder"),
        "cpus_per_node": 2,
        "time": "30:00",
        "setup": [f"export PATH={PROGRAM.parent}:$PATH OMP_NUM_THREADS=1"],
    }
    study = {
        "name": "small",
        "memory": "none",
        "data": {"source": "digits"},
        "model": {"name": "SmallCNN", "recipe": {"epochs": 6, "batch_size": 64}},
        "forget": {"classes": [3]},
        "published": ["ResNet9/mnist/100"],
        "n_trials": N_TRIALS,
        "replicates": 3,
        "confirm_seeds": 0,
        "sampler": "random",
    }
    (tmp_path / "slurm.yaml").write_text(yaml.safe_dump(cluster))
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))

    def antisample(*words):
        done = subprocess.run(
            [PROGRAM, *map(str, words), "--cluster", "slurm.yaml"],
            cwd=tmp_path, env={**os.environ, **queue.environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return re.search(r"Job (\d+) of Slurm", done.stdout)[1]

    directory = tmp_path / "shared folder" / "runs" / "small"
    files = directory.with_name("small.slurm")
    yield SimpleNamespace(antisample=antisample, directory=directory, files=files, queue=queue)
    for job in queue.ask("squeue", "--noheader", "--format=%A").split():
        queue.ask("scancel", job)


def test_a_study_runs_to_its_end_and_no_secret_is_left(place):
    job = place.antisample("run", "study.yaml")
    secret = _token_of(place, job)
    assert not any(secret in command for command in _commands())
    _ends(place, job)
    _whole(place)
    left = [path for path in place.files.iterdir() if path.name.startswith("token")]
    assert not left
    assert not Path(f"/tmp/ray-{job}").exists()
    texts = {path.name: path.read_text() for path in place.files.iterdir()}
    assert f"job-{job}.log" in texts
    assert not [name for name, text in texts.items() if secret in text]


def test_a_study_goes_on_when_its_job_is_queued_again(place):
    job = place.antisample("run", "study.yaml")
    before = _caught_running(place, job)
    place.queue.ask("scontrol", "requeue", job)
    place.queue.wait(job, ("PENDING", "RUNNING"), 120)
    _ends(place, job)
    assert place.queue.restarts(job) == 1
    _goes_on_from(place, before)


def test_a_study_goes_on_after_its_job_was_cancelled(place):
    job = place.antisample("run", "study.yaml")
    before = _caught_running(place, job)
    place.queue.ask("scancel", job)
    place.queue.wait(job, ("CANCELLED",), 120)
    _ends(place, place.antisample("resume", place.directory))
    _goes_on_from(place, before)


def _token_of(place, job):
    path = place.files / f"token-{job}"
    deadline = time.monotonic() + PATIENCE_S
    while not (path.exists() and len(path.read_text()) == 64 and _head_of(job)):
        assert time.monotonic() < deadline, _log(place, job)
        time.sleep(0.2)
    assert path.stat().st_mode & 0o077 == 0
    return path.read_text()


def _head_of(job):
    return any(f"/tmp/ray-{job} " in command and "--head" in command for command in _commands())


def _commands():
    return subprocess.run(
        ["ps", "-eo", "args", "-ww"], capture_output=True, text=True, check=True
    ).stdout.splitlines()


def _caught_running(place, job):
    """Waits until a trial is finished and another runs; returns the records."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if (place.directory / "study.yaml").exists():
            records = {record.number: record for record in open_study(place.directory).records()}
            states = [record.state for record in records.values()]
            if "COMPLETE" in states and "RUNNING" in states:
                return records
        time.sleep(0.3)
    raise TimeoutError(_log(place, job))


def _ends(place, job):
    ended = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")
    assert place.queue.wait(job, ended, PATIENCE_S) == "COMPLETED", _log(place, job)


def _whole(place):
    records = open_study(place.directory).records()
    assert [(record.number, record.state) for record in records] == [(n, "COMPLETE") for n in range(N_TRIALS)]
    rows = pq.read_table(place.directory / "trials.parquet").to_pylist()
    assert Counter(row["number"] for row in rows) == Counter(range(N_TRIALS))
    return {record.number: record for record in records}


def _goes_on_from(place, before):
    after = _whole(place)
    for number, record in before.items():
        assert after[number].params == record.params
        assert all(step in after[number].steps for step in record.steps), "what was reported is not done again"


def _log(place, job):
    return "\n".join(path.read_text()[-3000:] for path in sorted(place.files.glob(f"*-{job}*.log")))
