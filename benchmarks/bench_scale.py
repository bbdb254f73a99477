"""What one driver does for each trial as a study grows, with few workers and with many.

`python benchmarks/bench_scale.py` measures, in a process of its own each (`scale_parts.py`):

- the controller alone: asking, one report, telling, and the front, with 2 to 256 trials under way, until the study
  holds 10,000; suggestions are random, so that the sampler's own cost stays out;
- the same for trials of five reports;
- what a suggestion of TPE takes, with 256 trials under way;
- delivery to an MLflow server, of trials of five epochs;
- the controller on PostgreSQL, where ANTISAMPLE_DATABASE holds its address;
- a search of trials that do nothing on a real local Ray, with a few sizes and workers.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import optuna
from rich.console import Console
from scale_parts import PARTS, SIZES
from surroundings import surroundings

RECORD = Path(__file__).parent / "records" / "scale.json"


def main() -> None:
    """Measures everything, prints it and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="2,16,256", help="trials under way, for the controller")
    parser.add_argument("--most", type=int, default=max(SIZES), help="trials of the largest study")
    parser.add_argument("--delivered", type=int, default=500, help="trials that are delivered to MLflow")
    parser.add_argument("--ray", default="2x100,2x1000,2x10000,8x1000", help="workers x trials, on a real Ray")
    parser.add_argument("--part", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if arguments.part:
        part, workers, n_trials = arguments.part
        with tempfile.TemporaryDirectory() as name:
            print(json.dumps(PARTS[part](Path(name), int(workers), int(n_trials))))
        return
    most = str(arguments.most)
    wanted = [("controller", workers, most) for workers in arguments.workers.split(",")]
    wanted += [("epochs", "256", "1000"), ("suggestions", "256", most), ("delivery", "2", str(arguments.delivered))]
    wanted += (
        [("in_database", "2", "1000"), ("in_database", "256", "1000")] if "ANTISAMPLE_DATABASE" in os.environ else []
    )
    wanted += [("on_ray", *pair.split("x")) for pair in arguments.ray.split(",") if pair]
    console = Console()
    record: dict[str, Any] = {"command": " ".join(["python", *sys.argv]), **surroundings()}
    for part, workers, n_trials in wanted:
        command = [sys.executable, __file__, "--part", part, workers, n_trials]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        for row in json.loads(done.stdout.splitlines()[-1]):
            record.setdefault(part, []).append(row)
            console.print(part, {key: round(value, 2) for key, value in row.items()})
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
