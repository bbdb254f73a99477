"""Stopping losers early against not stopping and against Ray's ASHA; samplers against random search.

`python benchmarks/bench_scheduler.py` replays recorded unlearnings (`record_curves.py`) on a virtual clock, with 60
orders of the configurations, and writes `benchmarks/records/scheduler.json`. All rules see the same orders. A rule
that knows beforehand which trials end on the front, and stops all others after one replicate, shows how much of the
time no stopping can save.
"""

import argparse
import json
import math
import platform
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import ray
from ray.tune.schedulers.async_hyperband import _Bracket
from record_curves import CURVES, study_config
from rich.console import Console
from rich.progress import track
from rich.table import Table
from simulator import Curves, Rule, Search, simulate

from search_spaces import ChoiceParameter, SearchSpace
from tuning.config.trial_plan import TrialPlan
from tuning.strategies.halving import ParetoHalving, rungs
from tuning.strategies.suggester import TrialSuggester
from tuning.trials.pareto import Point, hypervolume, non_dominated

RECORD = Path(__file__).parent / "records" / "scheduler.json"
WORKERS = (1, 4, 16, 64, 256)
FACTOR = 4


def no_stopping(replicates: int) -> Rule:
    """Every trial runs to its end."""
    del replicates
    return lambda number, replicate, point: True  # noqa: ARG005


def ours(replicates: int) -> Rule:
    """Successive halving by fronts, as a study with `fidelity: {attribute: replicates}` does it."""
    return ParetoHalving(rungs(1, replicates, FACTOR), FACTOR).goes_on


def ray_asha(replicates: int) -> Rule:
    """Ray's own ASHA bracket on the mean of the objectives, larger is better there."""
    bracket = _Bracket(1, replicates, FACTOR, 0)

    class Trial:
        def __init__(self, number: int) -> None:
            self.trial_id = str(number)

    trials: dict[int, Any] = {}

    def goes_on(number: int, replicate: int, point: Point) -> bool:
        trial = trials.setdefault(number, Trial(number))
        return bracket.on_result(trial, replicate, -fmean(point)) != "STOP"

    return goes_on


def clairvoyant(curves: Curves, order: list[int]) -> Rule:
    """Lets those go on that are on the front of the whole order at their end, and stops all others at once."""
    ends = [curves.mean(number, curves.replicates) for number in order]
    front = {order[i] for i in non_dominated(ends)}
    return lambda number, replicate, point: number in front  # noqa: ARG005


RULES: dict[str, Callable[[Curves, list[int]], Rule]] = {
    "no stopping": lambda curves, order: no_stopping(curves.replicates),  # noqa: ARG005
    "ours": lambda curves, order: ours(curves.replicates),  # noqa: ARG005
    "Ray ASHA, mean of objectives": lambda curves, order: ray_asha(curves.replicates),  # noqa: ARG005
    "knows the front beforehand": clairvoyant,
}


def reference_point() -> Point:
    """Forget 0.10 and the best retain error recorded plus 0.10, near the original's minus 0.10."""
    return (0.10, 0.004 + 0.10)


def compare_rules(curves: Curves, n_trials: int, workers: int, seeds: int) -> dict[str, dict[str, list[float]]]:
    """By rule: time to 95 % of the volume without stopping, final volume and time, as shares of those without it."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in RULES}
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(curves.points))
        some, every = order[:n_trials].tolist(), order.tolist()
        searches: dict[str, Search] = {
            name: simulate(curves, some, rule(curves, some), workers) for name, rule in RULES.items()
        }
        plain = searches["no stopping"]
        volume = plain.hypervolume(reference_point())
        base = plain.seconds_to(0.95 * volume, reference_point())
        for name, search in searches.items():
            longer = simulate(curves, every, RULES[name](curves, every), workers, until_s=plain.elapsed_s)
            values = {
                "time to 95 %": search.seconds_to(0.95 * volume, reference_point()) / base,
                "final volume": search.hypervolume(reference_point()) / volume,
                "whole time": search.elapsed_s / plain.elapsed_s,
                "volume at equal time": longer.hypervolume(reference_point(), plain.elapsed_s) / volume,
            }
            for key, value in values.items():
                found[name].setdefault(key, []).append(value)
    return found


def compare_samplers(curves: Curves, names: list[str], seeds: int) -> dict[str, list[float]]:
    """By sampler: trials until the volume that random search has after 100; infinite if over 100.

    A suggestion is answered by the nearest configuration that was recorded and not asked for yet in this search.
    """
    config = study_config()
    space = TrialPlan.of(config).space
    grid = np.array([_unit(space, params) for params in curves.parameters])
    ends = [curves.mean(number, curves.replicates) for number in range(len(curves.points))]

    def search(sampler: str, seed: int, n_trials: int) -> list[float]:
        study = optuna.create_study(directions=[o.direction for o in config.objectives])
        asked = config.model_copy(update={"sampler": sampler, "seed": seed, "n_trials": n_trials})
        suggestions, left, points, volumes = TrialSuggester(study, TrialPlan.of(asked)), set(range(len(ends))), [], []
        for _ in range(n_trials):
            trial = suggestions.ask(None)
            wanted = _unit(space, trial.params)
            number = min(left, key=lambda n: float(np.sum((grid[n] - wanted) ** 2)))
            left.remove(number)
            forget, retain_error = ends[number]
            study.tell(trial, [forget, 1 - retain_error])
            points.append(ends[number])
            volumes.append(hypervolume([points[i] for i in non_dominated(points)], reference_point()))
        return volumes

    random = [search("random", seed, 100) for seed in track(range(seeds), "random")]
    goal = fmean(volumes[-1] for volumes in random)
    found = {"random": [_first(volumes, goal) for volumes in random]}
    for name in names:
        found[name] = [_first(search(name, seed, 100), goal) for seed in track(range(seeds), name)]
    return found


def _unit(space: SearchSpace, params: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Parameters as coordinates in [0, 1]."""
    row = []
    for name, parameter in space.parameters.items():
        if isinstance(parameter, ChoiceParameter):
            row.append(float(parameter.choices.index(params[name])))
        else:
            scale = math.log if parameter.log else float
            low, high = scale(parameter.low), scale(parameter.high)
            row.append((scale(params[name]) - low) / (high - low))
    return np.array(row)


def _first(volumes: list[float], goal: float) -> float:
    return next((float(n) for n, volume in enumerate(volumes, 1) if volume >= goal), float("inf"))


def _shown(values: list[float]) -> str:
    finite = [value for value in values if math.isfinite(value)]
    missed = f", {len(values) - len(finite)} never" if len(finite) < len(values) else ""
    if not finite:
        return "never"
    spread = f" ± {stdev(finite):.2f}" if len(finite) > 1 else ""
    return f"{fmean(finite):.2f}{spread} (median {float(np.median(values)):.2f}{missed})"


def main() -> None:
    """Runs both comparisons, prints them and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--samplers", default="tpe,nsga2")
    parser.add_argument("--sampler-seeds", type=int, default=20)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    curves, console = Curves.read(CURVES), Console()
    record: dict[str, Any] = {
        "command": f"python benchmarks/bench_scheduler.py --seeds {arguments.seeds} --trials {arguments.trials} "
        f"--samplers {arguments.samplers} --sampler-seeds {arguments.sampler_seeds}",
        "configurations": len(curves.points),
        "replicates": curves.replicates,
        "seeds": arguments.seeds,
        "versions": {"ray": ray.__version__, "optuna": optuna.__version__, "python": platform.python_version()},
        "rules": {},
    }
    for workers in WORKERS:
        found = compare_rules(curves, arguments.trials, workers, arguments.seeds)
        record["rules"][str(workers)] = found
        table = Table(title=f"{workers} workers: shares of the figures without stopping", title_justify="left")
        for heading in ("rule", *next(iter(found.values()))):
            table.add_column(heading)
        for name, values in found.items():
            table.add_row(name, *map(_shown, values.values()))
        console.print(table)
    samplers = compare_samplers(curves, arguments.samplers.split(","), arguments.sampler_seeds)
    record["trials to the volume of 100 random ones"] = samplers
    for name, counts in samplers.items():
        console.print(f"{name}: {_shown(counts)} trials")
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=1).replace("Infinity", "null"))


if __name__ == "__main__":
    main()
