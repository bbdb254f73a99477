"""A whole study, from the command to its end, against what one writes in an afternoon (`afternoon.py`).

`python benchmarks/bench_search.py` takes the digits, 32 trials, five times; `--data FOLDER --checkpoint FILE` takes
CIFAR-10 with ResNet18 and 30 % of the retain data, best with `--trials 8 --repeats 1`. Contestants run in turn, as
commands of their own, MLflow included:

- ours: `antisample run`, with its original model cached and without the runs with fresh seeds at its end;
- bfloat16: the same with `precision: bfloat16`, if `--bfloat16` is given;
- stopping: the same as ours with losers stopped early by their epochs, and twice as many trials;
- loop: the plain rendition of the published procedure, trial after trial, with all cores;
- bare Ray: Ray Tune, OptunaSearch, MLflowLoggerCallback and the plain rendition as a function trainable.

All train five epochs a trial, measure the same images and search the same seven parameters; the loop's are those of
our first run. The images are decoded before the first begins. Compared are whole runs (not for stopping), and seconds
until the front covers the smallest hypervolume that any contestant ended with.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from rich.console import Console
from safetensors import safe_open
from simulator import Search
from surroundings import surroundings

from antisample.datasets import load_dataset
from tuning.config.objectives import minimised_point
from tuning.study.directory import open_study
from tuning.study.outcome import find_outcome

RECORDS = Path(__file__).parent / "records"
EPOCHS, FORGET = 5, 3


def study(arguments: argparse.Namespace, folder: Path, name: str, n_trials: int) -> dict[str, Any]:
    """Our study; only what is searched is left to the sampler."""
    digits = arguments.data is None
    return {
        "name": name,
        "runs_dir": str(folder),
        "memory": "none",
        "data": {"source": "digits" if digits else str(arguments.data.resolve()), "cache_dir": str(folder / "cache")},
        "model": {"name": "SmallCNN" if digits else "ResNet18", "checkpoint": str(checkpoint(arguments, folder))},
        "forget": {"classes": [FORGET]},
        "fixed": {"epochs": EPOCHS, "batchnorm_mode": "eval", "retain_fraction": 1.0 if digits else 0.3},
        "n_trials": n_trials,
        "confirm_seeds": 0,
        "sampler": "tpe",
        "evaluation": {"final": []},
    }


def checkpoint(arguments: argparse.Namespace, folder: Path) -> Path:
    """The original model, which is trained once for the digits."""
    if arguments.checkpoint is not None:
        return Path(arguments.checkpoint).resolve()
    return folder / "original.safetensors"


def train_original(arguments: argparse.Namespace, folder: Path) -> None:
    """Trains a network on the digits, for all contestants."""
    if arguments.checkpoint is not None:
        return
    values = study(arguments, folder, "original", 1)
    del values["model"]["checkpoint"]
    path = folder / "original.yaml"
    path.write_text(yaml.safe_dump(values))
    trained = json.loads(command("pretrain", str(path), "--json"))["path"]
    shutil.copy(trained, checkpoint(arguments, folder))


def command(*words: str) -> str:
    """Runs `antisample`."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("antisample")), *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"antisample {' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def ours(name: str, arguments: argparse.Namespace, folder: Path, repeat: int) -> dict[str, Any]:
    """Seconds of `antisample run`, until its first trial was under way, and until each was complete."""
    path = folder / f"{name}-{repeat}.yaml"
    values = study(arguments, folder, path.stem, arguments.trials)
    if name == "stopping":
        del values["fixed"]["epochs"]
        values |= {"n_trials": 2 * arguments.trials, "fidelity": {"attribute": "epochs"}}
    if name == "bfloat16":
        values["precision"] = "bfloat16"
    path.write_text(yaml.safe_dump(values))
    started = time.time()
    command("run", str(path), "--quiet")
    total = time.time() - started
    records = open_study(folder / path.stem).records()
    begun = min(record.steps[0].timestamp_ms / 1000 - record.steps[0].elapsed_s for record in records if record.steps)
    ended = [((r.finished_ms or 0) / 1000 - started, *r.values) for r in records if r.values is not None]
    return {"first_trial_s": begun - started, "total_s": total, "ends": sorted(ended)}


def afternoon(name: str, arguments: argparse.Namespace, folder: Path, repeat: int) -> dict[str, Any]:
    """A contestant of `afternoon.py` in a process of its own."""
    own = folder / f"{name.replace(' ', '-')}-{repeat}"
    own.mkdir()
    values = study(arguments, folder, "", 1)
    with safe_open(checkpoint(arguments, folder), framework="np") as file:
        metadata = file.metadata()
    trials = [record.params for record in open_study(folder / "ours-0").records()]
    task = {
        "data": values["data"]["source"],
        "cache": values["data"]["cache_dir"],
        "model": values["model"]["name"],
        "checkpoint": values["model"]["checkpoint"],
        "mean": json.loads(metadata.get("mean", "[0.4914, 0.4822, 0.4465]")),
        "std": json.loads(metadata.get("std", "[0.247, 0.2435, 0.2616]")),
        "forget": FORGET,
        "epochs": EPOCHS,
        "retain_fraction": values["fixed"]["retain_fraction"],
        "has_checkpoint": True,
        "folder": str(own),
    }
    (own / "task.json").write_text(json.dumps({"task": task, "trials": trials}))
    script = Path(__file__).with_name("afternoon.py")
    words = [sys.executable, str(script), name, str(own / "task.json"), str(time.time())]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def seconds_to_the_same(folder: Path, runs: dict[str, dict[str, Any]]) -> dict[str, float]:
    """When the front of each contestant covered the smallest of their final hypervolumes."""
    view = open_study(folder / "ours-0")
    objectives = view.config.objectives
    corner = minimised_point(find_outcome(view).reference, objectives)
    searches = {
        name: Search([(end[0], minimised_point(end[1:], objectives)) for end in run["ends"]], run["total_s"], 1)
        for name, run in runs.items()
    }
    volume = min(search.hypervolume(corner) for search in searches.values())
    return {name: search.seconds_to(volume, corner) for name, search in searches.items()}


def main() -> None:
    """Runs everything, prints the ratios and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-stopping", action="store_true", help="leaves that contestant out")
    parser.add_argument("--bfloat16", action="store_true", help="takes that contestant in")
    parser.add_argument("--name", default="search")
    arguments = parser.parse_args()
    console = Console()
    record: dict[str, Any] = {"command": " ".join(["python", *sys.argv]), **surroundings()}
    left_out = {"stopping"} if arguments.no_stopping else set()
    left_out |= set() if arguments.bfloat16 else {"bfloat16"}
    runs: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("ours", "bfloat16", "stopping", "loop", "bare Ray") if name not in left_out
    }
    same: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train_original(arguments, folder)
        values = study(arguments, folder, "", 1)["data"]
        load_dataset(values["source"], cache_dir=Path(values["cache_dir"]))
        for repeat in range(arguments.repeats):
            for contestant, seen in runs.items():
                run = afternoon if contestant in ("loop", "bare Ray") else ours
                seen.append(run(contestant, arguments, folder, repeat))
                console.print(contestant, {key: round(seen[-1][key], 1) for key in ("first_trial_s", "total_s")})
                write(arguments, record | {"runs": runs})
            same.append(seconds_to_the_same(folder, {contestant: seen[-1] for contestant, seen in runs.items()}))
            console.print("to the same hypervolume", {key: round(value, 1) for key, value in same[-1].items()})
            record |= {"runs": runs, "same_hypervolume_s": same, **ratios(arguments, runs, same)}
            write(arguments, record)
    for name, values in record["ours_is_faster"].items():
        console.print(f"{name}: {median(values):.2f} x ({min(values):.2f} to {max(values):.2f}) the time of ours")


def write(arguments: argparse.Namespace, record: dict[str, Any]) -> None:
    """Leaves what is measured so far; a run over CIFAR-10 takes more than an hour."""
    RECORDS.mkdir(exist_ok=True)
    (RECORDS / f"{arguments.name}.json").write_text(json.dumps(record, indent=1))


def ratios(
    arguments: argparse.Namespace, runs: dict[str, list[dict[str, Any]]], same: list[dict[str, float]]
) -> dict[str, Any]:
    """Trials an hour, and how many times as long as ours the others took, one number a repeat."""
    whole = {name: [run["total_s"] for run in seen] for name, seen in runs.items() if name != "stopping"}
    faster: dict[str, list[float]] = {}
    for other in ("loop", "bare Ray"):
        faster[other] = [b / a for a, b in zip(whole["ours"], whole[other], strict=True)]
        for mine in ("bfloat16",) if "bfloat16" in runs else ():
            faster[f"{other}, bfloat16"] = [b / a for a, b in zip(whole[mine], whole[other], strict=True)]
        for mine in {"ours", "stopping"} & set(runs):
            faster[f"{other}, same hypervolume as {mine}"] = [one[other] / one[mine] for one in same]
    return {
        "trials_per_hour": {name: 3600 * arguments.trials / median(seconds) for name, seconds in whole.items()},
        "ours_is_faster": faster,
    }


if __name__ == "__main__":
    main()
