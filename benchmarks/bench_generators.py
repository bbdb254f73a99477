"""Do anti-samples help? The search with each generator in their place, with equal budgets.

`python benchmarks/bench_generators.py` searches on the digits (forget 3, SmallCNN) with every generator and three
search seeds; `--data FOLDER --checkpoint FILE --trials 8 --replicates 1 --finalists 0 --confirm-seeds 2 --seeds 0
--name cifar10` on CIFAR-10 with ResNet18 and 30 % of the retain data. All searches have as many trials; what does not
count for a generator is not searched, so that the controls do not pay for it. The chosen trial is run again with
fresh seeds, and compared are its figures on the test images.

The record (`records/generators-NAME.json`) is written after each search: an interrupted run goes on where it was.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from surroundings import surroundings

from antisample.methods import find_method
from antisample.storage.atomic import atomic_write

RECORDS = Path(__file__).parent / "records"
_NOISE = ("local_variance", "p", "tail_randomized", "size_multiplier")
_IDLE = {
    "antisample": (),
    "retain_combinations": _NOISE,
    "normal": (*_NOISE, "combination_temperature"),
    "forget": (*_NOISE, "combination_temperature"),
    "none": (*_NOISE, "combination_temperature", "generated_fraction", "anti_sample_weight"),
}
"""The generators, and the hyperparameters that do not count for each."""


def study(arguments: argparse.Namespace, generator: str, seed: int) -> dict[str, Any]:
    """One search."""
    fields = find_method("antisample").config_type.model_fields
    fixed = {"generator": generator, **{name: fields[name].default for name in _IDLE[generator]}}
    values = {
        "name": f"generators-{arguments.name}-{generator.replace('_', '-')}-{seed}",
        "runs_dir": str(arguments.runs_dir),
        "forget": {"classes": [3]},
        "memory": "none",
        "n_trials": arguments.trials,
        "replicates": arguments.replicates,
        "confirm_seeds": arguments.confirm_seeds,
        "selection": {"finalists": arguments.finalists},
        "seed": seed,
        "tracking_uri": "none",
        "log_model": False,
    }
    if arguments.data is None:
        model: dict[str, Any] = {"name": "SmallCNN", "recipe": {"epochs": 15, "batch_size": 64}}
        return {**values, "data": {"source": "digits"}, "model": model, "fixed": fixed}
    return {
        **values,
        "data": {"source": str(arguments.data), "cache_dir": str(arguments.cache)},
        "model": {
            "name": "ResNet18",
            "checkpoint": str(arguments.checkpoint),
            "recipe": {"horizontal_flip": True, "max_shift": 3},
        },
        "fixed": {**fixed, "retain_fraction": 0.3},
        "evaluation": {"max_train_images": 5000},
        "resources": {"max_concurrent": 1},
    }


def search(arguments: argparse.Namespace, generator: str, seed: int) -> dict[str, Any]:
    """What one search came to."""
    values = study(arguments, generator, seed)
    path = arguments.runs_dir / f"{values['name']}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values))
    words = [sys.executable, "-m", "tuning", "run", str(path), "--json"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    outcome = json.loads(done.stdout)
    chosen = outcome["chosen"] or outcome["nearest"]
    return {
        "generator": generator,
        "seed": seed,
        "hypervolume": outcome["hypervolume"],
        "qualifies": outcome["chosen"] is not None,
        "chosen": chosen,
        "confirmed": {run["role"]: run["metrics"] for run in outcome["confirmations"]},
        "mask": outcome["baselines"],
    }


def table(runs: list[dict[str, Any]]) -> Table:
    """Means over search seeds of what the chosen trials keep and leave, on the test images, and their range."""
    columns = ("retain_accuracy", "forget_accuracy", "probe_left", "probe_few")
    shown = Table("generator", "searches", "hypervolume", *columns, title="chosen, confirmed, test: mean (range)")
    for generator in _IDLE:
        own = [run for run in runs if run["generator"] == generator]
        if not own:
            continue
        figures = [_over([run["hypervolume"] for run in own])]
        for name in columns:
            confirmed = [run["confirmed"].get("chosen", {}).get(f"test/{name}") for run in own]
            figures.append(_over([each["mean"] for each in confirmed if each is not None]))
        shown.add_row(generator, str(len(own)), *figures)
    return shown


def _over(values: list[float]) -> str:
    return f"{mean(values):.4f} ({min(values):.4f} to {max(values):.4f})" if values else ""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/generators"))
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--replicates", type=int, default=3)
    parser.add_argument("--confirm-seeds", type=int, default=5)
    parser.add_argument("--finalists", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--generators", nargs="+", choices=list(_IDLE), default=list(_IDLE))
    parser.add_argument("--name", default="digits")
    parser.add_argument("--table", action="store_true", help="print the record and do nothing")
    arguments = parser.parse_args()
    path = RECORDS / f"generators-{arguments.name}.json"
    record: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {"runs": []}
    console = Console(width=160)
    for seed in () if arguments.table else arguments.seeds:
        for generator in arguments.generators:
            key = {"generator": generator, "seed": seed}
            if any(key.items() <= run.items() for run in record["runs"]):
                continue
            console.print(f"{generator}, seed {seed}")
            record["runs"].append({**search(arguments, generator, seed), "surroundings": surroundings()})
            record |= {"trials": arguments.trials, "replicates": arguments.replicates}
            record |= {"finalists": arguments.finalists, "confirm_seeds": arguments.confirm_seeds}
            record["command"] = f"python benchmarks/bench_generators.py --name {arguments.name}"
            with atomic_write(path) as unfinished:
                unfinished.write_text(json.dumps(record, indent=1) + "\n")
    console.print(table(record["runs"]))


if __name__ == "__main__":
    main()
