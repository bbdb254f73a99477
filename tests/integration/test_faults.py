"""Searches whose processes die, and what must hold afterwards: nothing lost, nothing doubled, nothing left over."""

import os
import random
import signal
import stat
import subprocess
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient
from told_curves import reported_losses, told_losses

from antisample.checkpoints.checkpoint import load_checkpoint, weights_fingerprint
from antisample.unlearning import unlearn
from tuning.config.trial_plan import TrialPlan
from tuning.study.directory import open_study
from tuning.study.outcome import find_outcome
from tuning.study.storage.lease import read_lease_owner
from tuning.worker.inputs import load_requests

pytestmark = pytest.mark.integration


def records(place):
    return open_study(place.directory).records() if (place.directory / "study.yaml").exists() else []


def wait_for_steps(place, process, n, *, timeout_s=120):
    """Waits until n epochs are reported and a trial runs."""

    def reported(found):
        return sum(record.fidelity for record in found) >= n and any(record.state == "RUNNING" for record in found)

    wait_until(place, process, reported, f"{n} epochs", timeout_s=timeout_s)


def wait_until(place, process, holds, what, *, timeout_s=120):
    """Waits until something holds of the records."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if holds(records(place)):
            return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.2)
    process.terminate()
    out, err = process.communicate(timeout=60)
    raise TimeoutError(f"no {what} in {timeout_s} s:\n{out}\n{err}")


def assert_nothing_is_lost(place, n_trials):
    """The study, the table and MLflow agree, and hold exactly the trials that were asked for."""
    found = records(place)
    assert [record.number for record in found] == list(range(len(found)))
    assert sum(record.state in ("COMPLETE", "PRUNED") for record in found) == n_trials
    assert not [record for record in found if record.state == "RUNNING"]
    assert read_lease_owner(place.directory) is None
    for record in found:
        steps = [step.step for step in record.steps]
        assert steps == sorted(set(steps))
        if record.state == "COMPLETE":
            assert steps == list(range(1, steps[-1] + 1))
            assert sum(step.last for step in record.steps) == len(record.seeds)
    rows = pq.read_table(place.directory / "trials.parquet").to_pylist()
    assert [(row["number"], row["state"], row["fidelity"]) for row in rows] == [
        (record.number, record.state, record.fidelity) for record in found
    ]
    for row, record in zip(rows, found, strict=True):
        assert {name: row[f"metrics.{name}"] for name in record.metrics} == record.metrics
    client = MlflowClient(f"sqlite:///{(place.folder / 'runs' / 'mlflow.db').resolve()}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = [run for run in client.search_runs(experiments) if "antisample.trial" in run.data.tags]
    assert sorted(int(run.data.tags["antisample.trial"]) for run in runs) == [record.number for record in found]
    for run in runs:
        record = found[int(run.data.tags["antisample.trial"])]
        assert run.data.tags["antisample.state"] == record.state
        assert told_losses(client, run.info.run_id, record) == reported_losses(record)


def workers(place):
    """The processes that run trials, found by the driver's Ray session."""
    driver = psutil.Process(read_lease_owner(place.directory).pid)
    found = [(child, " ".join(child.cmdline())) for child in driver.children(recursive=True)]
    return [child for child, command in found if command.startswith("ray::") and "Trainable" in command]


def files_of_ray(session):
    """What the files in Ray's folder hold, which its owner alone may enter."""
    assert stat.S_IMODE(session.parents[1].stat().st_mode) == 0o700
    files = [path for path in session.rglob("*") if path.is_file()]
    assert any(path.name.startswith("runtime_env_agent") for path in files)
    return "".join(path.read_text(errors="replace") for path in files)


def kill_the_driver_again_and_again(place, n_kills, seed):
    rng = random.Random(seed)
    for _ in range(n_kills):
        done_before = sum(record.fidelity for record in records(place))
        command = ("resume", "runs/small") if (place.directory / "study.yaml").exists() else ("run", "study.yaml")
        with place.start(*command) as process:
            if done_before or rng.random() < 0.7:
                wait_for_steps(place, process, done_before + 1)
                time.sleep(rng.uniform(0, 2))
            else:
                time.sleep(rng.uniform(1, 10))
            os.killpg(process.pid, signal.SIGKILL)
        finished = {record.number: record for record in records(place) if record.state in ("COMPLETE", "PRUNED")}
        yield finished


@pytest.mark.parametrize(
    ("n_kills", "rule"),
    [
        (3, "stopping"),
        pytest.param(3, "promotion", marks=pytest.mark.slow),
        pytest.param(3, "promotion of epochs", marks=pytest.mark.slow),
        pytest.param(20, "stopping", marks=pytest.mark.slow),
        pytest.param(20, "promotion", marks=[pytest.mark.slow, pytest.mark.soak]),
        pytest.param(100, "stopping", marks=[pytest.mark.slow, pytest.mark.soak]),
    ],
)
def test_the_driver_is_killed_at_random_moments(make_workplace, n_kills, rule):
    fidelity = {"attribute": "replicates", "rule": rule}
    if rule == "promotion of epochs":
        fidelity = {"attribute": "epochs", "rule": "promotion"}
    place = make_workplace(
        n_trials=3 + n_kills,
        replicates=4 if fidelity["attribute"] == "replicates" else 1,
        fixed={} if fidelity["attribute"] == "replicates" else {"epochs": 4},
        fidelity={**fidelity, "reduction_factor": 2},
        confirm_seeds=0,
        resources={"checkpoint_every_s": 0},
    )
    kept = {}
    for finished in kill_the_driver_again_and_again(place, n_kills, seed=0):
        assert all(finished[number] == record for number, record in kept.items()), "a finished trial never changes"
        kept = finished
    done = place.run("resume", "runs/small")
    assert done.code == 0, done.err
    assert_nothing_is_lost(place, 3 + n_kills)
    assert all(records(place)[number] == record for number, record in kept.items())
    assert not [record for record in records(place) if record.state == "FAIL"]


@pytest.mark.slow
def test_a_driver_is_killed_while_trials_wait_for_their_promotion(make_workplace):
    place = make_workplace(
        n_trials=8,
        replicates=4,
        published=[],
        recipes=False,
        fixed={"epochs": 2},
        objectives=[  # without a limit, which would end many trials at their first rung
            {"metric": "validation/forget_accuracy", "direction": "minimize"},
            {"metric": "validation/retain_accuracy", "direction": "maximize"},
        ],
        evaluation={"final": []},
        fidelity={"rule": "promotion", "reduction_factor": 2},
        confirm_seeds=0,
        resources={"max_concurrent": 2},
    )

    def some_wait(found):
        under_way = [record for record in found if not record.has_ended]
        return any(record.is_paused for record in under_way) and not all(record.is_paused for record in under_way)

    with place.start("run", "study.yaml") as process:
        wait_until(place, process, some_wait, "trial that waits", timeout_s=240)
        os.killpg(process.pid, signal.SIGKILL)
    before = records(place)
    done = place.run("resume", "runs/small")
    assert done.code == 0, done.err
    assert_nothing_is_lost(place, 8)
    after = records(place)
    assert len(after) == 8, "every trial went on under its number"
    for record in before:
        now = after[record.number]
        assert (now.params, now.steps[: len(record.steps)]) == (record.params, record.steps)
    complete = [record for record in after if record.state == "COMPLETE"]
    assert {record.number for record in find_outcome(open_study(place.directory)).front} <= {
        r.number for r in complete
    }
    assert any(len({step.worker for step in record.steps}) > 1 for record in complete), "replicates ran side by side"


CREDENTIALS = {
    name: f"made-up-{name.lower()}"
    for name in (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
        *("PGPASSWORD", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "AZURE_STORAGE_ACCESS_KEY"),
    )
}


@pytest.mark.parametrize("rule", [None, pytest.param("promotion", marks=pytest.mark.slow)])
def test_a_killed_worker_costs_no_trial_and_no_finished_replicate(make_workplace, monkeypatch, rule):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    fidelity = {} if rule is None else {"fidelity": {"rule": rule}}
    place = make_workplace(n_trials=4, replicates=4, confirm_seeds=0, **fidelity)
    with place.start("run", "study.yaml") as process:
        wait_for_steps(place, process, 6)
        victim = workers(place)[0]
        before = records(place)
        written = files_of_ray(Path(read_lease_owner(place.directory).ray_session))
        token = psutil.Process(process.pid).environ().get("RAY_AUTH_TOKEN", "no token in the first environment")
        victim.kill()
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert not [name for name in (*CREDENTIALS.values(), token) if name in written]
    assert (out.count("its worker process ended unexpectedly"), err) == (1, "")
    assert_nothing_is_lost(place, 4)
    after = records(place)
    assert len(after) == 4, "the trial went on under its number"
    for record in before:
        known = {step.step: step for step in record.steps}
        assert known == {step.step: step for step in after[record.number].steps if step.step in known}


@pytest.mark.slow
def test_a_worker_that_dies_every_time_fails_its_trial_with_the_reason(make_workplace):
    place = make_workplace(n_trials=2, max_retries=0, max_failures=3, confirm_seeds=0, replicates=4)
    with place.start("run", "study.yaml") as process:
        wait_for_steps(place, process, 2)
        workers(place)[0].kill()
        process.communicate(timeout=240)
    assert process.returncode == 0
    assert_nothing_is_lost(place, 2)
    (failed,) = (record for record in records(place) if record.state == "FAIL")
    assert "The worker process failed" in failed.error


@pytest.mark.slow
def test_a_killed_raylet_ends_the_search_in_order_and_resume_completes_it(make_workplace):
    place = make_workplace(n_trials=4, replicates=3, confirm_seeds=0)
    with place.start("run", "study.yaml") as process:
        wait_for_steps(place, process, 4)
        session = read_lease_owner(place.directory).ray_session
        raylets = [p for p in psutil.process_iter(["name", "cmdline"]) if p.info["name"] == "raylet"]
        (raylet,) = (p for p in raylets if any(session in argument for argument in p.info["cmdline"]))
        raylet.kill()
        try:
            _, err = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail("the driver hangs")
    assert process.returncode == 1
    (said,) = err.splitlines()
    assert said.startswith("Ray's raylet (which starts the workers), process ")
    assert said.endswith(" resume runs/small")
    done = place.run("resume", "runs/small")
    assert done.code == 0, done.err
    assert_nothing_is_lost(place, 4)


@pytest.mark.slow
def test_a_second_driver_is_refused_and_the_first_goes_on(make_workplace):
    place = make_workplace(n_trials=12, replicates=4, confirm_seeds=0)
    with place.start("run", "study.yaml") as process:
        wait_for_steps(place, process, 1)
        second = place.run("resume", "runs/small")
        assert second.code == 2
        assert f"is being searched by process {process.pid} on " in second.err
        assert "Traceback" not in second.err
        _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert_nothing_is_lost(place, 12)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB; needs the right to mount one."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", tmp_path], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no right to mount a file system ({mounted.stderr.strip()})")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


@pytest.mark.slow
def test_a_full_disk_ends_with_a_clear_error_and_the_study_goes_on_when_there_is_room(make_workplace, small_disk):
    place = make_workplace(n_trials=4, replicates=3, confirm_seeds=0, runs_dir=str(small_disk), tracking_uri="none")
    directory = small_disk / "small"
    filler = small_disk / "filler"
    with place.start("run", "study.yaml") as process:
        deadline = time.monotonic() + 120
        while not (directory / "study.yaml").exists() or not any(r.fidelity for r in open_study(directory).records()):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        _fill(filler)
        _, err = process.communicate(timeout=240)
    assert process.returncode != 0
    assert "No space left on device" in err
    assert "Traceback" not in err, err
    filler.unlink()
    known = open_study(directory).records()
    done = place.run("resume", str(directory))
    assert done.code == 0, done.err
    after = open_study(directory).records()
    assert sum(record.state == "COMPLETE" for record in after) == 4
    for record in known:
        for step in record.steps:
            assert step in after[record.number].steps


@pytest.mark.slow
def test_deleted_checkpoints_and_damaged_caches_change_no_number(make_workplace):
    place = make_workplace(
        n_trials=3,
        fixed={"epochs": 12},
        fidelity=None,
        confirm_seeds=0,
        sampler="random",
        data={"source": "digits", "cache_dir": "cache"},
        resources={"checkpoint_every_s": 0},
    )
    for harm in (_harm_checkpoints, _damage_caches):
        command = ("resume", "runs/small") if (place.directory / "study.yaml").exists() else ("run", "study.yaml")
        with place.start(*command) as process:
            wait_for_steps(place, process, 1 + sum(record.fidelity for record in records(place)))
            os.killpg(process.pid, signal.SIGKILL)
        harm(place)
    done = place.run("resume", "runs/small")
    assert done.code == 0, done.err
    assert_nothing_is_lost(place, 3)
    config = open_study(place.directory).config
    data = config.data.model_copy(update={"cache_dir": place.folder / "cache"})
    config = config.model_copy(update={"data": data})
    (inputs,) = load_requests(TrialPlan.of(config))
    for record in records(place):
        alone = list(unlearn(TrialPlan.of(config).unlearn_config(record.params, record.seeds[0]), inputs))
        assert [step.train_loss for step in record.steps] == [report.train_loss for report in alone]
        assert record.metrics == alone[-1].metrics.values


@pytest.mark.slow
def test_a_study_in_an_object_store_goes_on_from_there(make_workplace, s3, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = make_workplace(
        n_trials=3,
        fixed={"epochs": 40},
        confirm_seeds=0,
        sampler="random",
        data={"source": "digits", "cache_dir": s3.address("cache")},
        storage_path=s3.address("runs"),
        resources={"checkpoint_every_s": 0, "max_concurrent": 1},
    )
    checkpoints, models = "runs/small/checkpoints/", "runs/small/models/"
    with place.start("run", "study.yaml") as process:
        wait_for_steps(place, process, 5)
        (victim,) = workers(place)
        reads = s3.reads(checkpoints)
        victim.kill()
        wait_for_steps(place, process, sum(record.fidelity for record in records(place)) + 5)
        assert s3.reads(checkpoints) > reads, "the trial goes on from its checkpoint"
        reads = s3.reads(checkpoints)
        os.killpg(process.pid, signal.SIGKILL)
    assert s3.keys(checkpoints)
    done = place.run("resume", "runs/small")
    assert done.code == 0, done.err
    assert s3.reads(checkpoints) > reads
    assert_nothing_is_lost(place, 3)
    assert len(records(place)) == 3
    (inputs,) = load_requests(open_study(place.directory).plan)
    for record in records(place):
        alone = list(unlearn(open_study(place.directory).plan.unlearn_config(record.params, record.seeds[0]), inputs))
        assert [step.train_loss for step in record.steps] == [report.train_loss for report in alone]
        assert record.metrics == alone[-1].metrics.values
    front = find_outcome(open_study(place.directory)).front
    by_number = sorted(front, key=lambda record: record.number)
    assert s3.keys(models) == [f"{models}trial-{record.number:05d}.safetensors" for record in by_number]
    assert not s3.keys(checkpoints)
    assert not {"models", "checkpoints", "study.json"} & {path.name for path in place.directory.iterdir()}
    for command in (("resume", "runs/small"), ("report", "runs/small")):
        for name in ("report.html", "trials.parquet"):
            assert s3.get(f"runs/small/{name}") == (place.directory / name).read_bytes()
            s3.client.delete_object(Bucket="studies", Key=f"runs/small/{name}")
        assert len(place.results(*command)["front"]) == len(front)
    applied = place.results("unlearn", "--study", "runs/small", "--trial", "best", "--out", "out", "--threads", 1)
    chosen = find_outcome(open_study(place.directory)).chosen
    path = tmp_path / "model.safetensors"
    path.write_bytes(s3.get(f"{models}trial-{chosen.number:05d}.safetensors"))
    mine, kept = load_checkpoint(Path(place.folder, applied["model"])), load_checkpoint(path)
    assert weights_fingerprint(mine.state_dict) == weights_fingerprint(kept.state_dict)
    assert (place.folder / "runs/small/study.yaml").read_text().count("a-secret-that-nobody-may-see") == 0


def _harm_checkpoints(place):
    deleted, *damaged = (place.directory / "checkpoints").iterdir()
    deleted.unlink()
    for path in damaged:
        _flip_a_byte(path)


def _damage_caches(place):
    paths = [path for path in (place.folder / "cache").rglob("*") if path.is_file()]
    assert {path.suffix for path in paths} == {".arrow", ".pt", ".safetensors"}
    for path in paths:
        _flip_a_byte(path)


def _flip_a_byte(path):
    """Damages the middle of a file, where the values are, so that only their digest can tell."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"0" * 4096)
        except OSError:
            return
