"""How many trials a sampler needs until the study's own rule chooses one that is truly good.

`python benchmarks/bench_samplers.py` lets each sampler, as the product builds it, search against surrogates of
recorded requests (`surrogate.py`), without memory: 30 trials of three replicates, of which the first is the published
one, 20 seeds. A trial is truly good if it forgets (a forget accuracy of at most 1 %) and keeps within 2 points of the
best retain accuracy of those that do, in the mean of the surrogate. Counted are the trials until one of them is, and
until the one that the rule would choose is, with the seconds of these trials on one worker; and whether the choice
after all trials is, and after 20 runs of finals. `records/samplers-REQUEST.json` is written after each search; what
is in it is not run again. `--only-fits` prints how good the surrogates are and leaves the searches out, `--check`
runs real unlearnings at the optimum of a surrogate.

The recordings of classes 0, 1, 5 and 7 lie in ../shared/search beside the checkout, the others in data/ and records/.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from bench_finalists import record_of, run_finals
from record_curves import record as unlearn_for_real
from record_curves import study_config
from recording import FORGET, RETAIN, SECONDS, Recording
from rich.console import Console
from rich.table import Table
from surrogate import Surrogate, cross_validated
from surroundings import surroundings

from search_spaces import SearchSpace, load_space
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan
from tuning.strategies.samplers import distributions
from tuning.strategies.suggester import TrialSuggester
from tuning.trials.front import front_of
from tuning.trials.pareto import hypervolume, non_dominated
from tuning.trials.records import TrialRecord
from tuning.trials.selection import choose

HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared" / "search"
CIFAR10 = [HERE / "records" / f"search-cifar10-class-{label}.parquet" for label in (3, 0, 8)]
PATHS = {
    "SmallCNN 3": HERE / "data" / "curves.parquet",
    **{f"SmallCNN {label}": SHARED / f"SmallCNN-{label}.parquet" for label in (7, 0, 1, 5)},
    **{f"AllCNN {label}": HERE / "records" / f"curves-AllCNN-{label}.parquet" for label in (3, 7)},
}
SAMPLERS = ("random", "qmc", "nsga2", "tpe", "gp")
TRIALS, REPLICATES, LIMIT, DRAWN = 30, 3, 0.01, 10_000
ORIGINAL = {FORGET: 1.0, RETAIN: 0.996}
Run = dict[str, float | None]


class Task:
    """A request that samplers search, and what is truly good there.

    Args:
        recording: Of the request.

    Attributes:
        space: Of the published work.
        surrogate: Answers trials.
        best: The highest true retain accuracy that forgets, over 10,000 configurations and the recorded ones.
    """

    def __init__(self, recording: Recording) -> None:
        self.space = load_space("antisample-published")
        self.surrogate = Surrogate(recording, self.space)
        self.drawn = [*recording.parameters, *drawn(self.space, DRAWN)]
        self.truth = self.surrogate.truth(self.drawn)
        self.best = float(self.truth[RETAIN][self.truth[FORGET] <= LIMIT].max())
        self._volume = self.volume(zip(self.truth[FORGET], self.truth[RETAIN], strict=True))

    def is_good(self, truth: dict[str, float], points: int = 2) -> bool:
        """Whether a trial truly forgets, and keeps within so many points of the best."""
        return truth[FORGET] <= LIMIT and truth[RETAIN] >= self.best - points / 100

    def share(self, truths: Iterable[dict[str, float]]) -> float:
        """The hypervolume of trials, in truth, as a share of the largest."""
        return self.volume((truth[FORGET], truth[RETAIN]) for truth in truths) / self._volume

    def volume(self, figures: Iterable[tuple[float, float]]) -> float:
        """Hypervolume up to a forget accuracy of 10 % and 10 points below the best retain accuracy."""
        points = [(float(forget), 1 - float(retain)) for forget, retain in figures]
        return hypervolume([points[i] for i in non_dominated(points)], (0.10, 1 - self.best + 0.10))


def drawn(space: SearchSpace, n: int) -> list[dict[str, Any]]:
    """Configurations at random, each time the same."""
    sampler, searched = optuna.samplers.RandomSampler(seed=1), distributions(space)
    study = optuna.create_study()
    trial = study.ask()._cached_frozen_trial
    one = partial(sampler.sample_independent, study, trial)
    return [{name: one(name, each) for name, each in searched.items()} for _ in range(n)]


def search(task: Task, sampler: str, seed: int, n_trials: int = TRIALS) -> Run:
    """One search, and when it was where; None for never."""
    config = study_config(replicates=REPLICATES).model_copy(
        update={"sampler": sampler, "seed": seed, "n_trials": n_trials}
    )
    plan, draws = TrialPlan.of(config), np.random.default_rng(seed)
    study = optuna.create_study(directions=[objective.direction for objective in config.objectives])
    suggester = TrialSuggester(study, plan)
    for _, params in plan.starting_points:
        study.enqueue_trial(params)
    truths: list[dict[str, float]] = []
    records: list[TrialRecord] = []
    first: dict[str, int] = {}
    asking_s = 0.0
    for number in range(n_trials):
        began = time.process_time()
        trial = suggester.ask(None).trial
        asking_s += time.process_time() - began
        truths.append({name: float(values[0]) for name, values in task.surrogate.truth([trial.params]).items()})
        records.append(record_of(number, task.surrogate.runs(truths[-1], REPLICATES, draws)))
        study.tell(trial, list(records[-1].values or ()))
        chosen = choose(front_of(records, config.objectives), config, ORIGINAL).chosen
        for points in (2, 1):
            if task.is_good(truths[-1], points):
                first.setdefault(f"tried_{points}", number + 1)
            if chosen is not None and task.is_good(truths[chosen.number], points):
                first.setdefault(f"chosen_{points}", number + 1)
    seconds = np.cumsum([REPLICATES * truth[SECONDS] for truth in truths])
    run: Run = {name: first.get(name) for name in ("tried_2", "tried_1", "chosen_2", "chosen_1")}
    run["chosen_2_s"] = float(seconds[first["chosen_2"] - 1]) if "chosen_2" in first else None
    run |= {f"volume_{n}": task.share(truths[:n]) for n in (10, 20, 30) if n <= n_trials}
    return run | _after_finals(task, config, records, truths, draws) | {"ask_cpu_s": asking_s / n_trials}


def _after_finals(
    task: Task, config: StudyConfig, records: list[TrialRecord], truths: list[dict[str, float]], draws: Any
) -> Run:
    """Whether the choice is truly good, by the figures of the search alone and after the finals."""

    def again(number: int) -> dict[str, float]:
        return task.surrogate.runs(truths[number], 1, draws)[0]

    alone = choose(front_of(records, config.objectives), config, ORIGINAL).chosen
    last, _ = run_finals(records, alone, again, config, ORIGINAL)
    run: Run = {}
    for name, chosen in (("choice", alone), ("final", last)):
        truth = truths[chosen.number] if chosen is not None else None
        run |= {
            f"{name}_forgets": float(truth is not None and truth[FORGET] <= LIMIT),
            f"{name}_good_2": float(truth is not None and task.is_good(truth, 2)),
        }
    return run


def interval(values: Iterable[float], statistic: Any = np.median) -> list[float]:
    """A statistic with the 5 and 95 % of its bootstrap."""
    array, draws = np.array(list(values)), np.random.default_rng(0)
    resampled = [float(statistic(draws.choice(array, len(array)))) for _ in range(1000)]
    return [float(statistic(array)), *map(float, np.quantile(resampled, (0.05, 0.95), method="nearest"))]


def summary(runs: list[Run]) -> dict[str, list[float]]:
    """Medians and shares over seeds with their intervals; never counts as more trials than there are."""
    rows: dict[str, list[float]] = {}
    for name in ("tried_2", "tried_1", "chosen_2", "chosen_1"):
        trials = [float(run[name] or TRIALS + 1) for run in runs]
        rows[name] = interval(trials)
        rows[f"{name}_within_30"] = interval([trial <= TRIALS for trial in trials], np.mean)
    rows["chosen_2_s"] = interval([run["chosen_2_s"] or float("inf") for run in runs])
    for name in ("choice_good_2", "choice_forgets", "final_good_2", "final_forgets"):
        rows[name] = interval([float(run[name] or 0) for run in runs], np.mean)
    for name in ("volume_10", "volume_30", "ask_cpu_s"):
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


def check(task: Task, label: int, n: int, replicates: int) -> list[dict[str, float]]:
    """Real unlearnings of the configurations that the surrogate takes for the best, beside what it says of them."""
    good = np.flatnonzero(task.truth[FORGET] <= LIMIT)
    best = good[np.argsort(-task.truth[RETAIN][good])][:n]
    rows = []
    for number in map(int, best):
        ends = [row for row in unlearn_for_real(0, task.drawn[number], "SmallCNN", label, replicates) if row["last"]]
        row = {f"predicted {name}": float(task.truth[name][number]) for name in (FORGET, RETAIN)}
        rows.append(
            row | {f"measured {name}": float(np.mean([end[name] for end in ends])) for name in (FORGET, RETAIN)}
        )
    return rows


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
    columns = (
        "tried_2",
        "chosen_2",
        "chosen_2_within_30",
        "chosen_2_s",
        "choice_good_2",
        "final_good_2",
        "volume_30",
    )
    for name, record in records.items():
        table = Table("sampler", "n", *columns, title=name)
        for sampler, runs in record["searches"].items():
            rows = summary(runs)
            table.add_row(sampler, str(len(runs)), *(_shown(rows[column]) for column in columns))
        console.print(table)
        for row in record.get("check") or ():
            console.print({key: round(value, 3) for key, value in row.items()})


def _shown(values: list[float]) -> str:
    middle, low, high = (f"{value:.2f}" if abs(value) < 5 else f"{value:.0f}" for value in values)
    return f"{middle} [{low}, {high}]"


def parts(name: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The record of a request, as far as there is one."""
    path = folder / f"samplers-{name.replace(' ', '-')}.json"
    record: dict[str, Any] = {"command": "python benchmarks/bench_samplers.py", "fit": None, "searches": {}}
    return path, json.loads(path.read_text()) if path.exists() else record


def write(path: Path, record: dict[str, Any]) -> None:
    """Keeps what is measured so far."""
    about = {"trials": TRIALS, "replicates": REPLICATES, **surroundings()}
    path.write_text(json.dumps({**record, **about}, indent=1) + "\n")


def main() -> int:
    """Measures what is missing in the records, writes them after each part and prints them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", nargs="+", default=[*PATHS, "CIFAR-10"], choices=[*PATHS, "CIFAR-10"])
    parser.add_argument("--samplers", nargs="+", default=list(SAMPLERS))
    parser.add_argument("--seeds", type=int, default=20)
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
        path, record = parts(name, arguments.folder)
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
            runs: list[Run] = record["searches"].setdefault(sampler, [])
            while len(runs) < arguments.seeds:
                runs.append(search(task, sampler, len(runs)))
                write(path, record)
    show(Console(width=150), records)
    return 0


if __name__ == "__main__":
    sys.exit(main())
