"""This checkout against an earlier one, as a search: `python benchmarks/bench_versions.py OLD NEW`, about 15 minutes.

OLD and NEW are folders of checkouts that share an environment. In pairs, whose order changes from pair to pair:

- overhead: `bench_overhead.py --contestant ours`: 100 trials that sleep 0.2 s, two at a time;
- search: `antisample run` on the digits with the original model cached, 32 trials, MLflow included, as in
  `bench_search.py`.

Once, with `--scale`: `bench_scale.py`'s controller with 2 and 16 trials under way, up to 2,000 trials.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, stdev
from typing import Any

import yaml
from rich.console import Console
from surroundings import surroundings

RECORD = Path(__file__).parent / "records" / "versions.json"
STUDY: dict[str, Any] = {
    "data": {"source": "digits"},
    "model": {"name": "SmallCNN"},
    "forget": {"classes": [3]},
    "fixed": {"epochs": 5, "batchnorm_mode": "eval", "retain_fraction": 1.0},
    "n_trials": 32,
    "confirm_seeds": 0,
    "sampler": "tpe",
    "evaluation": {"final": []},
}


def python(checkout: Path, *words: str) -> str:
    """Runs Python with the packages of a checkout, in its folder: `-m` looks into the current directory first."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=checkout)
    if done.returncode:
        raise RuntimeError(f"{checkout}: {done.stdout[-1000:]}{done.stderr[-3000:]}")
    return done.stdout


def overhead(checkout: Path, folder: Path, name: str) -> float:
    """Seconds of 100 sleeping trials, with MLflow in a SQLite file."""
    script, uri = str(checkout / "benchmarks" / "bench_overhead.py"), f"sqlite:///{folder / name}.db"
    output = python(checkout, script, "--contestant", "ours", "--trials", "100", "--uri", uri)
    return float(output.splitlines()[-1])


def search(checkout: Path, folder: Path, name: str) -> float:
    """Seconds of a whole search on the digits."""
    values = {**STUDY, "name": name, "runs_dir": str(folder)}
    if (checkout / "tuning" / "memory").is_dir():
        values["memory"] = "none"
    values["data"] = {**STUDY["data"], "cache_dir": str(folder / "cache")}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values))
    started = time.perf_counter()
    python(checkout, "-m", "tuning", "run", str(path), "--quiet")
    return time.perf_counter() - started


CONTESTS: dict[str, Callable[[Path, Path, str], float]] = {"overhead": overhead, "search": search}


def scale(checkout: Path, workers: int) -> list[dict[str, float]]:
    """Rows of `bench_scale.py`'s controller."""
    script = str(checkout / "benchmarks" / "bench_scale.py")
    rows: list[dict[str, float]] = json.loads(
        python(checkout, script, "--part", "controller", str(workers), "2000").splitlines()[-1]
    )
    return rows


def main() -> None:
    """Measures everything, prints it and writes the record after each pair."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--scale", action="store_true")
    arguments = parser.parse_args()
    checkouts = {"old": arguments.old.resolve(), "new": arguments.new.resolve()}
    console = Console()
    commits = {
        name: subprocess.run(
            ["git", "-C", str(path), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name, path in checkouts.items()
    }
    record: dict[str, Any] = {"commits": commits, **surroundings(), "contests": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        search(checkouts["old"], folder, "warm-up")
        for contest, run in CONTESTS.items():
            seconds: dict[str, list[float]] = {"old": [], "new": []}
            for pair in range(arguments.pairs):
                for which in ("old", "new") if pair % 2 == 0 else ("new", "old"):
                    seconds[which].append(run(checkouts[which], folder, f"{contest}-{which}-{pair}"))
                ratios = [new / old for old, new in zip(seconds["old"], seconds["new"], strict=True)]
                spread = stdev(ratios) if len(ratios) > 1 else 0.0
                record["contests"][contest] = {
                    "seconds": seconds,
                    "ratios": ratios,
                    "median_ratio": median(ratios),
                    "standard_deviation": spread,
                }
                RECORD.write_text(json.dumps(record, indent=1) + "\n")
                console.print(f"{contest} pair {pair}: new / old {ratios[-1]:.3f}")
            console.print(f"{contest}: median {median(ratios):.3f}, standard deviation {spread:.3f}")
        if arguments.scale:
            record["scale"] = {
                f"{workers} under way": {which: scale(path, workers) for which, path in checkouts.items()}
                for workers in (2, 16)
            }
            RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
