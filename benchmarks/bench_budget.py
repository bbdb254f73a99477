"""What a request on CIFAR-10 costs, from the command to a model that was confirmed: the first, and the next.

`python benchmarks/bench_budget.py --data FOLDER --checkpoint FILE` makes the given ResNet18 forget "ship" twice, on
one core each time, in studies that name a budget in place of a number of trials:

- first: nothing is remembered; 2 retrainings;
- next: the recorded searches for "cat" and "airplane" are (`records/search-cifar10-class-3.parquet` and `-0`); 0.8
  retrainings.

A budget covers the search, finalists and confirmation, with their evaluation. Everything else is as in
`studies/cifar10-resnet18-deep.yaml`: 30 % of the retain data, one run a trial. The record is `records/budget.json`,
written after each; an interrupted study is continued. An hour of one core.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from package_memory import STUDY, recorded_search
from rich.console import Console
from rich.table import Table
from surroundings import surroundings

from antisample.storage.atomic import atomic_write
from tuning.memory.files import write_memory

RECORD = Path(__file__).parent / "records" / "budget.json"
FORGET, EARLIER = 8, (3, 0)
BUDGETS = {"next": 0.8, "first": 2.0}


def request(arguments: argparse.Namespace, kind: str) -> dict[str, Any]:
    """Runs a request, and says what came of it."""
    runs = arguments.runs_dir.resolve()
    runs.mkdir(parents=True, exist_ok=True)
    data, cache, checkpoint = (
        str(each.resolve()) for each in (arguments.data, arguments.cache, arguments.checkpoint)
    )
    values = yaml.safe_load(STUDY.read_text())
    values["data"] = {"source": data, "cache_dir": cache}
    values["model"]["checkpoint"] = checkpoint
    del values["n_trials"]
    memory = "none"
    if kind == "next":
        memory = str(runs / "earlier.parquet")
        where = {"data.source": data, "data.cache_dir": cache, "model.checkpoint": checkpoint}
        studies = [recorded_search(label, **where) for label in EARLIER]
        write_memory(studies, Path(memory), "benchmarks/bench_budget.py")
    values |= {
        "name": f"budget-{kind}",
        "runs_dir": str(runs),
        "forget": {"classes": [FORGET]},
        "budget": BUDGETS[kind],
        "memory": memory,
        "tracking_uri": "none",
        "log_model": False,
        "resources": {"max_concurrent": 1},
    }
    path = runs / f"{values['name']}.yaml"
    path.write_text(yaml.safe_dump(values))
    words = [sys.executable, "-m", "tuning", "run", str(path), "--json"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{kind}: exit code {done.returncode}")
    outcome = json.loads(done.stdout)
    kept = ("chosen", "nearest", "reason", "finalists", "spent", "baselines", "confirmations", "paired_difference")
    front = [(each["number"], each["origin"]) for each in outcome["front"]]
    return {"request": kind, "budget": BUDGETS[kind], "front": front, **{name: outcome[name] for name in kept}}


def table(runs: list[dict[str, Any]]) -> Table:
    """What each request has cost, and the figures of its choice on the test half."""
    columns = ("retain_accuracy", "forget_accuracy", "probe_left", "probe_forget")
    shown = Table("request", "budget", "spent, retrainings", "chosen", *columns)
    for run in runs:
        chosen = run["chosen"] or run["nearest"]
        confirmed = [each["metrics"] for each in run["confirmations"] if each["role"] == "chosen"]
        known = {name: each["mean"] for name, each in confirmed[0].items()} if confirmed else chosen["metrics"]
        figures = [f"{known.get(f'test/{name}', float('nan')):.4f}" for name in columns]
        spent = f"{run['spent']['retrainings']['total']:.2f}"
        shown.add_row(run["request"], str(run["budget"]), spent, f"{chosen['number']}, {chosen['origin']}", *figures)
    return shown


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("cifar10"))
    parser.add_argument("--checkpoint", type=Path, default=Path("cifar10_resnet18.safetensors"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/budget"))
    parser.add_argument("--requests", nargs="+", choices=list(BUDGETS), default=list(BUDGETS))
    arguments = parser.parse_args()
    record: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.is_file() else {"runs": []}
    for kind in arguments.requests:
        if any(run["request"] == kind for run in record["runs"]):
            continue
        record["runs"].append({**request(arguments, kind), "surroundings": surroundings()})
        record["command"] = "python benchmarks/bench_budget.py --data … --checkpoint …"
        with atomic_write(RECORD) as unfinished:
            unfinished.write_text(json.dumps(record, indent=1) + "\n")
    Console(width=140).print(table(record["runs"]))


if __name__ == "__main__":
    main()
