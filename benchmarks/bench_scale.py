"""What one driver does for each trial as a study grows, with few workers and with many.

`python benchmarks/bench_scale.py` measures, in a process of its own each:

- the controller alone: asking, one report, telling, and the front, with 2 to 256 trials under way, until the study
  holds 10,000;
- a search of trials that do nothing on a real local Ray, with a few sizes and workers.

Suggestions are random, so that the sampler's own cost stays out; `bench_overhead.py` has that.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
import overhead_trials
from overhead_trials import StudyTrial, content, final, study_config
from rich.console import Console
from surroundings import surroundings

from cluster import local_ray
from tuning.lease import held_lease, lease_place
from tuning.resources import WorkerShare
from tuning.search import search
from tuning.study import Study

RECORD = Path(__file__).parent / "records" / "scale.json"
SIZES = (100, 300, 1000, 3000, 10_000)


class NoTrial(StudyTrial):
    """Reports at once."""

    def step(self) -> dict[str, Any]:
        """The whole trial."""
        overhead_trials.SLEEP_S = 0.0
        return super().step()


def controller(folder: Path, workers: int, most: int) -> list[dict[str, float]]:
    """Milliseconds a trial, the mean of the last tenth before each size."""
    config = study_config(folder, most + workers + 1, "none", "random")
    config.directory.mkdir(parents=True)
    study, rows = Study(config), []
    study.listen(lambda record: record.state == "RUNNING" or study.front())
    under_way: deque[tuple[str, dict[str, Any]]] = deque()
    seconds: deque[float] = deque(maxlen=max(SIZES))
    for number in range(most + workers):
        started = time.perf_counter()
        record = study.ask(str(number))
        if record is None:
            raise RuntimeError("the study suggests nothing more")
        under_way.append((str(number), record.params))
        if len(under_way) < workers:
            continue
        key, params = under_way.popleft()
        study.report(key, content(params))
        study.complete(key, **final(params))
        seconds.append(time.perf_counter() - started)
        if len(seconds) in SIZES and (not rows or rows[-1]["trials"] < len(seconds)):
            last = list(seconds)[-max(20, len(seconds) // 10) :]
            rows.append({"workers": workers, "trials": len(seconds), "ms_a_trial": 1000 * fmean(last)})
    return rows


def on_ray(folder: Path, workers: int, n_trials: int) -> list[dict[str, float]]:
    """Milliseconds a trial of a search on Ray, start-up included and apart."""
    config = study_config(folder, n_trials, "none", "random")
    config.directory.mkdir(parents=True)
    with held_lease(lease_place(config)) as lease, local_ray(workers):
        study, ends = Study(config, lease), []
        study.listen(lambda record: record.state == "COMPLETE" and ends.append(time.perf_counter()))
        started = time.perf_counter()
        search(study, NoTrial, WorkerShare(1, 0), lambda: workers)
    steady = (ends[-1] - ends[n_trials // 5]) / (n_trials - 1 - n_trials // 5)
    return [
        {
            "workers": workers,
            "trials": n_trials,
            "first_trial_s": ends[0] - started,
            "ms_a_trial": 1000 * steady,
        }
    ]


PARTS = {"controller": controller, "on_ray": on_ray}


def main() -> None:
    """Measures everything, prints it and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="2,16,256")
    parser.add_argument("--most", type=int, default=max(SIZES))
    parser.add_argument("--ray", default="2x100,2x1000,8x1000")
    parser.add_argument("--part", nargs=3)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if arguments.part:
        part, workers, n_trials = arguments.part
        with tempfile.TemporaryDirectory() as name:
            print(json.dumps(PARTS[part](Path(name), int(workers), int(n_trials))))
        return
    console = Console()
    record: dict[str, Any] = {"command": " ".join(["python", *sys.argv]), **surroundings()}
    wanted = [("controller", workers, str(arguments.most)) for workers in arguments.workers.split(",")]
    wanted += [("on_ray", *pair.split("x")) for pair in arguments.ray.split(",") if pair]
    for part, workers, n_trials in wanted:
        command = [sys.executable, __file__, "--part", part, workers, n_trials]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        for row in json.loads(done.stdout.splitlines()[-1]):
            record.setdefault(part, []).append(row)
            console.print(part, {key: round(value, 2) for key, value in row.items()})
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
