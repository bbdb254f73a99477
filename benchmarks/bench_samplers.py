"""How many trials a sampler needs until the study's own rule chooses one that is truly good.

`python benchmarks/bench_samplers.py` lets each sampler, as the product builds it, search against surrogates of
recorded requests (`surrogate.py`), without memory: 30 trials of three replicates, of which the first is the published
one, 20 seeds. A trial is truly good if it forgets (a forget accuracy of at most 1 %) and keeps within 2 points of the
best retain accuracy of those that do, in the mean of the surrogate. Counted are the trials until one of them is, and
until the one that the rule would choose is, with the seconds of these trials on one worker; and whether the choice
after all trials is, and after 20 runs of finals. `records/samplers-REQUEST.json` is written after each search; what
is in it is not run again. `--only-fits` prints how good the surrogates are and leaves the searches out, `--check`
runs real unlearnings at the optimum of a surrogate, `--from-nothing` leaves the published set out, `--trials` makes
searches longer (a record of their own).

The recordings of classes 0, 1, 5 and 7 lie in ../shared/search beside the checkout, the others in data/ and records/.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from recording import FORGET, RETAIN, Recording
from rich.console import Console
from rich.table import Table
from sampler_task import REPLICATES, Run, Task, check, search
from surrogate import cross_validated
from surroundings import surroundings

from search_spaces import SearchSpace, load_space

HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared" / "search"
CIFAR10 = [HERE / "records" / f"search-cifar10-class-{label}.parquet" for label in (3, 0, 8)]
PATHS = {
    "SmallCNN 3": HERE / "data" / "curves.parquet",
    **{f"SmallCNN {label}": SHARED / f"SmallCNN-{label}.parquet" for label in (7, 0, 1, 5)},
    **{f"perceptron {label}": HERE / "records" / f"curves-perceptron-{label}.parquet" for label in (3, 7, 0, 1, 5)},
}
SAMPLERS = ("random", "qmc", "nsga2", "tpe", "gp")
TRIALS, NOTHING = 30, "from nothing"


def interval(values: Iterable[float], statistic: Any = np.median) -> list[float]:
    """A statistic with the 5 and 95 % of its bootstrap."""
    array, draws = np.array(list(values)), np.random.default_rng(0)
    resampled = [float(statistic(draws.choice(array, len(array)))) for _ in range(1000)]
    return [float(statistic(array)), *map(float, np.quantile(resampled, (0.05, 0.95), method="nearest"))]


def summary(runs: list[Run], n_trials: int) -> dict[str, list[float]]:
    """Medians and shares over seeds with their intervals; never counts as more trials than there are."""
    rows: dict[str, list[float]] = {}
    for name in ("tried_2", "tried_1", "chosen_2", "chosen_1"):
        trials = [float(run[name] or n_trials + 1) for run in runs]
        rows[name] = interval(trials)
        rows[f"{name}_share"] = interval([trial <= n_trials for trial in trials], np.mean)
    rows["chosen_2_s"] = interval([run["chosen_2_s"] or float("inf") for run in runs])
    for name in ("choice_good_2", "choice_forgets", "final_good_2", "final_forgets"):
        rows[name] = interval([float(run[name] or 0) for run in runs], np.mean)
    for name in ("volume_10", f"volume_{n_trials}", "ask_cpu_s"):
        rows[name] = interval([float(run[name] or 0) for run in runs])
    return rows


def recorded(name: str) -> tuple[Recording, SearchSpace]:
    """The recording of a request, and the space of its configurations."""
    if name in PATHS:
        return Recording.of_curves(PATHS[name], name), load_space("antisample-published")
    metrics = (FORGET, RETAIN, "validation/probe_left", "validation/mask_drop")
    return Recording.of_trials(CIFAR10, name, metrics), load_space("antisample")


def fits(recording: Recording, space: SearchSpace) -> dict[str, Any]:
    """How good a surrogate is, by figure, and of how many configurations."""
    n, replicates = next(iter(recording.figures.values())).shape
    figures = {metric: asdict(cross_validated(recording, space, metric)) for metric in recording.figures}
    return {"configurations": n, "replicates": replicates, "figures": figures}


def show(console: Console, records: dict[str, Any]) -> None:
    """Prints the surrogates, and what is recorded of every sampler."""
    table = Table(
        "request", "configurations", "figure", "R2", "rank", "mean error", title="Cross-validated surrogates"
    )
    for name, record in records.items():
        for metric, fit in record["fit"]["figures"].items():
            size = f"{record['fit']['configurations']} x {record['fit']['replicates']}"
            table.add_row(name, size, metric, f"{fit['r2']:.2f}", f"{fit['rank']:.2f}", f"{fit['error']:.3f}")
    console.print(table)
    for name, record in records.items():
        last = f"volume_{record['trials']}"
        columns = ("tried_2", "tried_2_share", "chosen_2", "chosen_2_share", "chosen_2_s", "final_good_2", last)
        table = Table("sampler", "n", *columns, "ask_cpu_s", title=f"{name}, {record['trials']} trials")
        for sampler, runs in record["searches"].items():
            rows = summary(runs, record["trials"])
            table.add_row(sampler, str(len(runs)), *(_shown(rows[column]) for column in (*columns, "ask_cpu_s")))
        console.print(table)
        for row in record.get("check") or ():
            console.print({key: round(value, 3) for key, value in row.items()})


def _shown(values: list[float]) -> str:
    middle, low, high = (
        f"{value:.0f}" if abs(value) >= 5 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"
        for value in values
    )
    return f"{middle} [{low}, {high}]"


def begun(name: str, folder: Path, n_trials: int) -> tuple[Path, dict[str, Any]]:
    """The file of a request's record, and what is in it."""
    longer = "" if n_trials == TRIALS else f"-{n_trials}"
    path = folder / f"samplers-{name.replace(' ', '-')}{longer}.json"
    if path.exists():
        return path, json.loads(path.read_text())
    if longer:
        return path, {**begun(name, folder, TRIALS)[1], "trials": n_trials, "searches": {}, "check": []}
    command = f'python benchmarks/bench_samplers.py --requests "{name}"'
    return path, {"command": command, "trials": n_trials, "replicates": REPLICATES, "fit": None, "searches": {}}


def write(path: Path, record: dict[str, Any]) -> None:
    """Keeps what is measured so far."""
    whole = {key: value for key, value in {**record, **surroundings()}.items() if key != "searches"}
    runs = {name: [_rounded(run) for run in each] for name, each in record["searches"].items()}
    lines = ",\n".join(
        f"  {json.dumps(name)}: [\n   " + ",\n   ".join(map(json.dumps, each)) + "\n  ]"
        for name, each in runs.items()
    )
    path.write_text(json.dumps(whole, indent=1)[:-2] + f',\n "searches": {{\n{lines}\n }}\n}}\n')


def _rounded(run: Run) -> Run:
    return {name: None if value is None else round(value, 4) for name, value in run.items()}


def main() -> int:
    """Measures what is missing in the records, writes them after each part and prints them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", nargs="+", default=[*PATHS, "CIFAR-10"], choices=[*PATHS, "CIFAR-10"])
    parser.add_argument("--samplers", nargs="+", default=list(SAMPLERS))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--from-nothing", action="store_true", help="leaves the published set out")
    parser.add_argument("--only-fits", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder", type=Path, default=HERE / "records")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    records = {}
    for name in arguments.requests:
        if name in PATHS and not PATHS[name].exists():
            print(f"{name}: skipped, its recording is not there.")
            continue
        path, record = begun(name, arguments.folder, arguments.trials)
        records[name] = record
        recording, space = recorded(name)
        if record["fit"] is None or record["fit"]["configurations"] != len(recording.parameters):
            record.update(fit=fits(recording, space), searches={}, check=[])
            write(path, record)
        if name not in PATHS or arguments.only_fits:
            continue
        model, label = name.split()
        task = Task(recording)
        if arguments.check and model == "SmallCNN" and not record.get("check"):
            record["check"] = check(task, int(label), 6, 2)
            write(path, record)
        for sampler in () if arguments.check else arguments.samplers:
            published = not arguments.from_nothing
            runs: list[Run] = record["searches"].setdefault(sampler if published else f"{sampler} {NOTHING}", [])
            while len(runs) < arguments.seeds:
                runs.append(search(task, sampler, len(runs), arguments.trials, published=published))
                write(path, record)
    show(Console(width=150), records)
    return 0


if __name__ == "__main__":
    sys.exit(main())
