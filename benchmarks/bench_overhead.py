"""What the search costs beside its trials: `python benchmarks/bench_overhead.py`, about 15 minutes on 2 cores.

Side by side, in turn and several times: trials that sleep 0.2 s, 2 objectives, 8 parameters, two at once,
- ours: the study, its journal and MLflow, delivered to the end;
- bare: Ray Tune with OptunaSearch, reused actors and no logging;
- logged: the same with Ray's MLflowLoggerCallback, on the same local MLflow server.

Then, without Ray: asking and telling with 64 trials under way, and time and memory per trial as a study grows.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median, quantiles, stdev
from typing import Any

import mlflow
import numpy as np
import optuna
import ray
from overhead_trials import SPACE, BareTrial, StudyTrial, content, final, study_config
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch
from rich.console import Console

from cluster import local_ray
from tuning.driver.capacity import TrialResources
from tuning.driver.search import search
from tuning.study.attributes import CREATED_MS, ID
from tuning.study.history import record_search_end
from tuning.study.outcome import find_outcome
from tuning.study.storage.lease import held_lease, lease_backend
from tuning.study.study import Study
from tuning.views.mlflow import MlflowWriter, SearchSummary, StudyMetadata, Tracker

RECORD = Path(__file__).parent / "records" / "overhead.json"
AT_ONCE = 2


def ours(folder: Path, n_trials: int, uri: str) -> float:
    """Seconds of a study with MLflow, until everything is delivered."""
    config = study_config(folder, n_trials, uri)
    config.directory.mkdir(parents=True)
    with held_lease(lease_backend(config)) as lease, local_ray(AT_ONCE):
        study = Study(config, lease)
        study.note(ID, uuid.uuid4().hex)
        study.note(CREATED_MS, time.time_ns() // 1_000_000)
        started = time.monotonic()
        tracker = Tracker(lambda: MlflowWriter(StudyMetadata.of(study), uri))
        study.listen(tracker.submit)
        search(study, StudyTrial, TrialResources(1, 0), lambda: AT_ONCE)
        record_search_end(study, find_outcome(study))
        problem = tracker.close(SearchSummary.of(study), timeout_s=None)
        elapsed = time.monotonic() - started
        if problem is not None or study.n_finished() != n_trials:
            raise RuntimeError(f"{study.n_finished()} of {n_trials} trials; {problem}")
        return elapsed


def bare(folder: Path, n_trials: int, uri: str, logged: bool = False) -> float:
    """Seconds of a Ray Tune script as its documentation writes it, with actors reused."""
    with local_ray(AT_ONCE):
        callbacks = [MLflowLoggerCallback(tracking_uri=uri, experiment_name="bare")] if logged else []
        metrics = ["forget", "retain"]
        sampler = OptunaSearch(space=SPACE, metric=metrics, mode=["min", "max"], seed=0)
        started = time.monotonic()
        results = tune.Tuner(
            tune.with_resources(BareTrial, {"CPU": 1}),
            tune_config=tune.TuneConfig(
                search_alg=ConcurrencyLimiter(sampler, AT_ONCE), num_samples=n_trials, reuse_actors=True
            ),
            run_config=tune.RunConfig(
                name="bare",
                storage_path=str(folder),
                verbose=0,
                callbacks=callbacks,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
        elapsed = time.monotonic() - started
        if len(results) != n_trials or results.num_errors:
            raise RuntimeError(f"{len(results)} trials, {results.num_errors} errors")
        return elapsed


def logged(folder: Path, n_trials: int, uri: str) -> float:
    """Seconds of the bare script with Ray's MLflow logging."""
    return bare(folder, n_trials, uri, logged=True)


CONTESTANTS: dict[str, Callable[[Path, int, str], float]] = {"ours": ours, "bare": bare, "logged": logged}


def one_contestant(name: str, n_trials: int, uri: str) -> float:
    """Runs a contestant in a process of its own and a folder of its own."""
    command = [sys.executable, __file__, "--contestant", name, "--trials", str(n_trials), "--uri", uri]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-3000:]}")
    return float(done.stdout.splitlines()[-1])


def asking(folder: Path, finished: int, pending: int, sampler: str) -> dict[str, float]:
    """Median and p95 of the seconds to ask and to tell, with trials finished and others under way."""
    config = study_config(folder, finished + pending + 100, "none", sampler)
    config.directory.mkdir(parents=True)
    study = Study(config)
    for number in range(finished):
        _whole_trial(study, f"before {number}")
    for number in range(pending):
        study.ask(f"pending {number}")
    seconds = [_whole_trial(study, f"timed {number}") for number in range(40)]
    return {"median_s": median(seconds), "p95_s": quantiles(seconds, n=20)[-1]}


def growth(folder: Path, n_trials: int, every: int) -> list[dict[str, float]]:
    """Seconds and memory as a study grows, with random suggestions so that the sampler's own cost stays out."""
    config = study_config(folder, n_trials + 1, "none", "random")
    config.directory.mkdir(parents=True)
    study, curve = Study(config), []
    study.listen(lambda record: record.state == "RUNNING" or find_outcome(study))
    for start in range(0, n_trials, every):
        seconds = [_whole_trial(study, str(number)) for number in range(start, start + every)]
        opened = time.perf_counter()
        Study(config).records()
        curve.append(
            {
                "trials": start + every,
                "s_per_trial": fmean(seconds),
                "open_s": time.perf_counter() - opened,
                "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "journal_mb": (config.directory / "journal.log").stat().st_size / 1e6,
            }
        )
    return curve


def _whole_trial(study: Study, key: str) -> float:
    """Seconds to ask for a trial, report it and tell its end."""
    started = time.perf_counter()
    record = study.ask(key)
    if record is None:
        raise RuntimeError("the study suggests nothing more")
    study.report(key, content(record.params))
    study.complete(key, **final(record.params))
    return time.perf_counter() - started


def main() -> None:
    """Runs everything, prints it and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--growth", type=int, default=5000)
    parser.add_argument("--contestant", choices=list(CONTESTANTS))
    parser.add_argument("--uri", default="none")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.contestant:
            print(CONTESTANTS[arguments.contestant](folder, arguments.trials, arguments.uri))
            return
        console = Console()
        record: dict[str, Any] = {
            "command": f"python benchmarks/bench_overhead.py --trials {arguments.trials} "
            f"--repeats {arguments.repeats} --growth {arguments.growth}",
            "machine": f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}",
            "versions": {"ray": ray.__version__, "optuna": optuna.__version__, "mlflow": mlflow.__version__},
            "pure_s": 0.2 * arguments.trials / AT_ONCE,
        }
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        record["growth"] = growth(folder / "growth", arguments.growth, max(1, arguments.growth // 10))
        for row in record["growth"]:
            console.print(row)
        record["ask_and_tell"] = {s: asking(folder / s, 200, 64, s) for s in ("tpe", "random", "nsga2")}
        console.print(record["ask_and_tell"])
        record["seconds"] = _side_by_side(folder, arguments.trials, arguments.repeats, console)
        ratios = {
            name: np.array(record["seconds"]["ours"]) / np.array(record["seconds"][name])
            for name in ("bare", "logged")
        }
        record["ours_over"] = {name: values.tolist() for name, values in ratios.items()}
        for other, values in ratios.items():
            console.print(f"ours / {other}: {fmean(values):.3f} ± {stdev(values) if len(values) > 1 else 0:.3f}")
        RECORD.parent.mkdir(parents=True, exist_ok=True)
        RECORD.write_text(json.dumps(record, indent=1))


def _side_by_side(folder: Path, n_trials: int, repeats: int, console: Console) -> dict[str, list[float]]:
    from mlflow_server import mlflow_server  # noqa: PLC0415

    seconds: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    with mlflow_server(folder) as uri:
        for repeat in range(repeats):
            names = list(CONTESTANTS)
            for name in names[repeat % 3 :] + names[: repeat % 3]:
                seconds[name].append(one_contestant(name, n_trials, uri))
                console.print(f"{name}: {seconds[name][-1]:.1f} s")
    return seconds


if __name__ == "__main__":
    main()
