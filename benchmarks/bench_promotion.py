"""Replicates as tasks with promotion against stopping and against neither, on recorded unlearnings.

`python benchmarks/bench_promotion.py` replays `data/curves.parquet` (240 configurations of the digits, ten
replicates each; `--curves FILE` takes other recordings) on a virtual clock: 20 orders of 100 configurations
with 1 to 256 workers. All figures are shares of the search without stopping, a trial's replicates in a row in
one worker: the time until 95 % of its hypervolume, the replicates that were run, and the hypervolume in the
end. The best trial, by the mean of its objectives over all replicates, is lost where it did not come to its
end. The record is `records/promotion.json`; a few minutes. What starting workers, the sampler and the driver
take is not in it.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from record_curves import CURVES
from rich.console import Console
from rich.table import Table
from simulator import Curves, Search, simulate, simulate_tasks
from stopping_rules import FACTOR, WORKERS, no_stopping, ours, reference_point
from surroundings import surroundings

from tuning.strategies.halving import ParetoHalving
from tuning.strategies.promotion import Promotion, promotion_rungs

RECORD = Path(__file__).parent / "records" / "promotion.json"
SHARE = 0.95
PLAIN = "no stopping"


class ByFronts(Promotion):
    """Promotion that ranks by fronts, as stopping does; for comparison."""

    def _ranking(self, rung: int) -> list[int]:
        if rung not in self._rankings:
            arrived = {number: (each.violation, each.point) for number, each in self._arrived[rung].items()}
            self._rankings[rung] = ParetoHalving(self.rungs, FACTOR)._ranking(arrived)
        return self._rankings[rung]


def _promoted(kind: type[Promotion]) -> Callable[[Curves, list[int], int], Search]:
    def search(curves: Curves, order: list[int], workers: int) -> Search:
        return simulate_tasks(curves, order, kind(promotion_rungs(1, curves.replicates, FACTOR), FACTOR), workers)

    return search


RULES: dict[str, Callable[[Curves, list[int], int], Search]] = {
    PLAIN: lambda curves, order, workers: simulate(curves, order, no_stopping(curves.replicates), workers),
    "stopping": lambda curves, order, workers: simulate(curves, order, ours(curves.replicates), workers),
    "no stopping, replicates as tasks": lambda curves, order, workers: simulate_tasks(
        curves, order, Promotion((curves.replicates,), FACTOR), workers
    ),
    "promotion by fronts": _promoted(ByFronts),
    "promotion": _promoted(Promotion),
}


def compare(curves: Curves, n_trials: int, workers: int, orders: int) -> dict[str, dict[str, Any]]:
    """By rule: one value an order of each figure, and how many orders lost the best trial."""
    compared: dict[str, dict[str, Any]] = {
        name: {"time": [], "replicates": [], "volume": [], "best lost": 0} for name in RULES
    }
    for seed in range(orders):
        order = np.random.default_rng(seed).permutation(len(curves.points))[:n_trials].tolist()
        best = min(order, key=lambda number: fmean(curves.mean(number, curves.replicates)))
        searches = {name: rule(curves, order, workers) for name, rule in RULES.items()}
        plain, reference = searches[PLAIN], reference_point()
        volume = plain.hypervolume(reference)
        base_s = plain.seconds_to(SHARE * volume, reference)
        for name, search in searches.items():
            figures = compared[name]
            figures["time"].append(search.seconds_to(SHARE * volume, reference) / base_s)
            figures["replicates"].append(search.replicates / plain.replicates)
            figures["volume"].append(search.hypervolume(reference) / volume)
            figures["best lost"] += best not in search.whole
    return compared


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--curves", type=Path, nargs="+", default=[CURVES])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--orders", type=int, default=20)
    arguments = parser.parse_args()
    shown = Table(
        "recording", "workers", "rule", "time to 95 %", "median", "replicates", "lowest volume", "best lost"
    )
    rows: list[dict[str, Any]] = []
    for path in arguments.curves:
        curves = Curves.read(path)
        for workers in WORKERS:
            for rule, figures in compare(curves, arguments.trials, workers, arguments.orders).items():
                row = {
                    "recording": path.stem,
                    "replicates": curves.replicates,
                    "workers": workers,
                    "rule": rule,
                    "time_mean": round(fmean(figures["time"]), 3),
                    "time_median": round(median(figures["time"]), 3),
                    "replicates_mean": round(fmean(figures["replicates"]), 3),
                    "replicates_most": round(max(figures["replicates"]), 3),
                    "volume_lowest": round(min(figures["volume"]), 3),
                    "best_lost": figures["best lost"],
                }
                rows.append(row)
                shown.add_row(
                    path.stem,
                    str(workers),
                    rule,
                    f"{row['time_mean']:.2f}",
                    f"{row['time_median']:.2f}",
                    f"{row['replicates_mean']:.2f}",
                    f"{row['volume_lowest']:.2f}",
                    f"{row['best_lost']} of {arguments.orders}",
                )
    record = {
        "command": " ".join(["python", "benchmarks/bench_promotion.py", *map(_name_of, sys.argv[1:])]),
        "trials": arguments.trials,
        "orders": arguments.orders,
        **surroundings(),
        "rows": rows,
    }
    RECORD.write_text(json.dumps(record, indent=1).replace("Infinity", "null") + "\n")
    Console(width=120).print(shown)


def _name_of(argument: str) -> str:
    """An argument without the folders of this machine."""
    return Path(argument).name if argument.endswith(".parquet") else argument


if __name__ == "__main__":
    main()
