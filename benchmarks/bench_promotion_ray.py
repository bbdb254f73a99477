"""Promotion on a real Ray: the searches of `bench_promotion.py` in real time, by the product's own driver.

`python benchmarks/bench_promotion_ray.py` runs 100 trials of ten replicates, recorded on the digits, with 2 and with
8 workers, without stopping, with stopping, and with replicates as tasks that are promoted, in turn, five orders. A
replicate waits for the share `--scale` of what it took when it was recorded, and computes nothing, so that two cores
carry eight workers. Workers, messages, sampler (random), journal and driver are the real ones.

Compared are, as shares of the search without stopping, the seconds from the start of the first trial until 95 % of
the hypervolume of that search, and until the last trial; the replicates that were run; and whether the best trial, by
the mean of its objectives over its replicates, came to its end. There are no starting points, which would be exempt
from stopping. The record, `records/promotion-ray.json`, is written after each search: an interrupted run goes on
where it was. About 40 minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from overhead_trials import study_config
from record_curves import CURVES as RECORDING
from replayed_trials import CURVES, ORDER, SCALE, ReplayedTrial, order, recording
from rich.console import Console
from rich.table import Table
from simulator import Search
from stopping_rules import FACTOR, reference_point
from surroundings import surroundings

from antisample.storage.atomic import atomic_write
from cluster import local_ray
from tuning.driver.capacity import TrialResources
from tuning.driver.search import search
from tuning.study.promoting import study_of
from tuning.study.storage.lease import held_lease, lease_backend

RECORD = Path(__file__).parent / "records" / "promotion-ray.json"
PLAIN = "no stopping"
RULES: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "stopping": {"fidelity": {"attribute": "replicates", "reduction_factor": FACTOR}},
    "promotion": {"fidelity": {"attribute": "replicates", "rule": "promotion", "reduction_factor": FACTOR}},
}
SHARE = 0.95


def one_search(rule: str, workers: int, n_trials: int, folder: Path) -> dict[str, Any]:
    """Runs a search in this process; the recording is named by the environment."""
    more = {"published": [], "recipes": [], "replicates": recording().replicates, **RULES[rule]}
    config = study_config(folder, n_trials, "none", "random", **more)
    config.directory.mkdir(parents=True)
    with held_lease(lease_backend(config)) as lease, local_ray(workers):
        study = study_of(config, lease)
        started_ms = time.time() * 1000
        search(study, ReplayedTrial, TrialResources(1, 0), lambda: workers)
        records = study.records()
    first_ms = min(each.timestamp_ms - 1000 * each.elapsed_s for record in records for each in record.steps)
    whole = [record for record in records if record.state == "COMPLETE"]
    ends = [(record.finished_ms or 0, record.number) for record in whole]
    return {
        "start_s": (first_ms - started_ms) / 1000,
        "ends": sorted(((ended - first_ms) / 1000, number) for ended, number in ends),
        "total_s": (max(each.timestamp_ms for record in records for each in record.steps) - first_ms) / 1000,
        "replicates": sum(1 for record in records for each in record.steps if each.last),
    }


def figures(run: dict[str, Any], plain: dict[str, Any], n_trials: int) -> dict[str, Any]:
    """A search as shares of the one without stopping; the recording is named by the environment."""
    curves, numbers, corner = recording(), order(), reference_point()

    def replayed(one: dict[str, Any]) -> Search:
        points = [(second, curves.mean(numbers[number], curves.replicates)) for second, number in one["ends"]]
        return Search(points, one["total_s"], one["replicates"])

    volume = replayed(plain).hypervolume(corner)
    best = min(range(n_trials), key=lambda n: fmean(curves.mean(numbers[n], curves.replicates)))
    seconds = [replayed(one).seconds_to(SHARE * volume, corner) for one in (run, plain)]
    return {
        "time": seconds[0] / seconds[1],
        "whole": run["total_s"] / plain["total_s"],
        "replicates": run["replicates"] / plain["replicates"],
        "volume": replayed(run).hypervolume(corner) / volume,
        "best_lost": best not in [number for _, number in run["ends"]],
    }


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--curves", type=Path, default=RECORDING)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--orders", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--scale", type=float, default=2.0)
    parser.add_argument("--search", choices=list(RULES), help="one search, in this process; prints what came of it")
    arguments = parser.parse_args()
    os.environ |= {CURVES: str(arguments.curves.resolve()), SCALE: str(arguments.scale)}
    if arguments.search:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(one_search(arguments.search, arguments.workers[0], arguments.trials, Path(folder))))
        return
    record: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.is_file() else {"runs": []}
    record |= {"command": "python benchmarks/bench_promotion_ray.py", "curves": arguments.curves.name}
    record |= {"trials": arguments.trials, "scale": arguments.scale, **surroundings()}
    for seed in range(arguments.orders):
        os.environ[ORDER] = str(seed)
        for workers in arguments.workers:
            for rule in RULES:
                key = {"order": seed, "workers": workers, "rule": rule}
                if any(key.items() <= run.items() for run in record["runs"]):
                    continue
                words = ["--search", rule, "--workers", str(workers), "--trials", str(arguments.trials)]
                words += ["--curves", str(arguments.curves), "--scale", str(arguments.scale)]
                done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=False)
                if done.returncode:
                    raise RuntimeError(done.stderr[-3000:])
                record["runs"].append({**key, **json.loads(done.stdout.splitlines()[-1])})
                print(
                    key, {n: v for n, v in record["runs"][-1].items() if n in ("total_s", "replicates")}, flush=True
                )
                with atomic_write(RECORD) as unfinished:
                    unfinished.write_text(json.dumps(record, indent=1) + "\n")
    Console(width=120).print(table(record))


def table(record: dict[str, Any]) -> Table:
    """Means over the orders, and the range of the time."""
    shown = Table("workers", "rule", "time to 95 %", "whole search", "replicates", "lowest volume", "best lost")
    for workers in sorted({run["workers"] for run in record["runs"]}):
        for rule in RULES:
            found = []
            for run in record["runs"]:
                if (run["workers"], run["rule"]) == (workers, rule):
                    os.environ[ORDER] = str(run["order"])
                    order.cache_clear()
                    same = {"order": run["order"], "workers": workers, "rule": PLAIN}
                    plain = next(each for each in record["runs"] if same.items() <= each.items())
                    found.append(figures(run, plain, record["trials"]))
            if found:
                mean = {name: fmean(each[name] for each in found) for name in ("time", "whole", "replicates")}
                least, most = (choose(each["time"] for each in found) for choose in (min, max))
                lost = f"{sum(each['best_lost'] for each in found)} of {len(found)}"
                time_shown = f"{mean['time']:.2f} ({least:.2f} to {most:.2f})"
                volume = f"{min(each['volume'] for each in found):.2f}"
                shown.add_row(
                    str(workers),
                    rule,
                    time_shown,
                    f"{mean['whole']:.2f}",
                    f"{mean['replicates']:.2f}",
                    volume,
                    lost,
                )
    return shown


if __name__ == "__main__":
    main()
