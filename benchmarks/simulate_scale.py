"""What one driver can lead: `python benchmarks/simulate_scale.py`, from the record of `bench_scale.py`.

Simulates a study of 10,000 trials on 256 workers whose driver serves one trial after the other. What a trial costs
it, by the size of the study, is the record's; how trials differ in length is that of recorded unlearnings, scaled to
a mean length. Prints the share of their time that the workers train, and hours.

Ray's part is what a trial on a real Ray took longer than in the controller alone, with 8 workers. A study in
PostgreSQL was measured at one size, 1,000 trials; it is taken to grow as a journal does.
"""

import argparse
import json
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from simulator import Curves, served_by_one_driver

HERE = Path(__file__).parent
LENGTHS = (2, 5, 10, 20, 30, 60, 120, 300)


def cost(rows: list[dict[str, float]], name: str) -> Callable[[int], float]:
    """Seconds by the size of a study, in a straight line between measured ones."""
    sizes, seconds = [row["trials"] for row in rows], [row[name] / 1000 for row in rows]
    return lambda n: float(np.interp(n, sizes, seconds))


def main() -> None:
    """Simulates every way to keep and to suggest trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=256)
    arguments = parser.parse_args()
    record = json.loads((HERE / "records" / "scale.json").read_text())
    recorded = Curves.read(HERE / "data" / "curves.parquet")
    shape = np.array([sum(seconds) for seconds in recorded.seconds])
    shape = np.random.default_rng(0).permutation(shape / shape.mean())
    many = [row for row in record["controller"] if row["workers"] == 256]
    few = [row for row in record["controller"] if row["workers"] == 2 and row["trials"] == 1000]
    reports = record["epochs"][0]["ms_a_trial"] - cost(many, "ms_a_trial")(1000) * 1000
    most_workers = max(record["on_ray"], key=lambda row: row["workers"])
    ray = most_workers["ms_a_trial"] - few[0]["ms_a_trial"]
    database = record["in_database"][-1]["ms_a_trial"]
    one_report, tpe = cost(many, "ms_a_trial"), cost(record["suggestions"], "ms_a_suggestion")
    drivers: dict[str, Callable[[int], float]] = {
        "journal, random": lambda n: (reports + ray) / 1000 + one_report(n),
        "journal, tpe": lambda n: (reports + ray) / 1000 + one_report(n) + tpe(n),
        "PostgreSQL, random": lambda n: (database + ray) / 1000 + one_report(n) - one_report(1000),
        "PostgreSQL, tpe": lambda n: (database + ray) / 1000 + one_report(n) - one_report(1000) + tpe(n),
    }
    console = Console(width=118)
    console.print(f"a trial's reports {reports:.0f} ms, Ray {ray:.0f} ms, PostgreSQL {database:.0f} ms")
    table = Table("mean seconds a trial", *drivers, title="Share of their time that workers train")
    for length in LENGTHS:
        durations = [length * share for share, _ in zip(cycle(shape), range(arguments.trials), strict=False)]
        cells = []
        for driver in drivers.values():
            elapsed = served_by_one_driver(durations, arguments.workers, driver)
            cells.append(f"{sum(durations) / arguments.workers / elapsed:.0%} ({elapsed / 3600:.1f} h)")
        table.add_row(str(length), *cells)
    console.print(table)


if __name__ == "__main__":
    main()
