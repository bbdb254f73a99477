"""Seconds from the command to a chosen model that truly forgets and keeps, ours against an afternoon's script.

`python benchmarks/bench_request.py` takes five digits, one after the other, and asks three contestants for each, in
turn:

- first: `antisample run` of a user who has no earlier requests, 12 trials of three replicates, finals included;
- next: the same with 5 trials, and the memory of three searches for other digits (24 trials each), which are made
  before anything is timed;
- bare: Ray Tune, OptunaSearch, Ray's MLflow logging and the published procedure as a function (`afternoon.py`), 32
  trials; chosen is the trial that keeps most of those that forget 99 %.

All optimise forget and retain accuracy on the same validation images; ours searches its own space, the script the
published one. The chosen set is unlearned with 20 fresh seeds. It truly meets the goal if, in the mean on the
validation images, it answers at most 1 % of the forgotten class and keeps what a mask keeps but for 1 percentage
point. A contestant that misses it has to begin anew: its seconds to success are those of all five searches, divided
by how many succeeded. The record, `records/request-digits.json`, is written as it goes, and an interrupted run goes
on where it was; about 40 minutes.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch
import yaml
from rich.console import Console
from rich.table import Table
from safetensors import safe_open
from surroundings import surroundings

from antisample.inputs import load_inputs
from antisample.storage.atomic import atomic_write
from antisample.unlearning import evaluate_baselines, unlearn
from tuning.config.loading import load_study
from tuning.config.trial_plan import TrialPlan
from tuning.study.directory import open_study
from tuning.study.outcome import find_outcome

RECORD = Path(__file__).parent / "records" / "request-digits.json"
EARLIER, ASKED = (0, 4, 9), (3, 1, 5, 7, 8)
FORGET, RETAIN = "validation/forget_accuracy", "validation/retain_accuracy"
MOST_FORGET, MOST_LOST, TRUTH_SEEDS = 0.01, 0.01, range(1000, 1020)
TRIALS = {"earlier": 24, "first": 12, "next": 5, "bare": 32}


def study(folder: Path, kind: str, label: int) -> dict[str, Any]:
    """One search of ours."""
    return {
        "name": f"{kind}-{label}",
        "runs_dir": str(folder / ("earlier" if kind == "earlier" else kind)),
        "data": {"source": "digits", "cache_dir": str(folder / "cache")},
        "model": {"name": "SmallCNN", "checkpoint": str(folder / "original.safetensors")},
        "forget": {"classes": [label]},
        "memory": str(folder / "earlier") if kind == "next" else "none" if kind == "earlier" else "auto",
        "n_trials": TRIALS[kind],
        "replicates": 3,
        "confirm_seeds": 0,
        "seed": label,
        "evaluation": {"final": []},
    }


def ours(folder: Path, kind: str, label: int) -> tuple[float, dict[str, Any] | None]:
    """Seconds of `antisample run` and what it chose, if anything."""
    values = study(folder, kind, label)
    path = folder / f"{values['name']}.yaml"
    path.write_text(yaml.safe_dump(values))
    shutil.rmtree(Path(values["runs_dir"]) / values["name"], ignore_errors=True)
    started = time.monotonic()
    command("run", str(path), "--quiet")
    seconds = time.monotonic() - started
    found = find_outcome(open_study(Path(values["runs_dir"]) / values["name"])).chosen
    return seconds, None if found is None else found.params


def command(*words: str) -> None:
    """Runs `antisample`; 1 says that nothing qualified."""
    done = subprocess.run([sys.executable, "-m", "tuning", *words], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"antisample {' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def truth_of_ours(folder: Path, kind: str, label: int, params: dict[str, Any]) -> list[tuple[float, float]]:
    """Forget and retain accuracy with fresh seeds."""
    values = study(folder, kind, label)
    plan = TrialPlan.of(open_study(Path(values["runs_dir"]) / values["name"]).config)
    inputs, measured = load_inputs(plan.unlearn_config(params, 0)), []
    for seed in TRUTH_SEEDS:
        *_, last = unlearn(plan.unlearn_config(params, seed), inputs)
        measured.append((last.metrics.values[FORGET], last.metrics.values[RETAIN]))
    return measured


def mask(folder: Path, label: int) -> float:
    """What a mask keeps of the validation images."""
    path = folder / "mask.yaml"
    values = {**study(folder, "first", label), "evaluation": {"final": ["mask"]}, "name": "mask"}
    path.write_text(yaml.safe_dump(values))
    config = TrialPlan.of(load_study(path)).starting_config()
    return evaluate_baselines(load_inputs(config), config)["mask"].values[RETAIN]


def bare(folder: Path, label: int, name: str, trials: list[dict[str, Any]]) -> tuple[float, dict[str, Any]]:
    """Seconds of a contestant of `afternoon.py`, and what it printed."""
    own = folder / f"{name.replace(' ', '-')}-{label}"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    values = study(folder, "first", label)
    task = {
        "data": "digits",
        "cache": values["data"]["cache_dir"],
        "model": "SmallCNN",
        "checkpoint": values["model"]["checkpoint"],
        "mean": [0.4914],
        "std": [0.247],
        "forget": label,
        "epochs": 5,
        "retain_fraction": 1.0,
        "has_checkpoint": True,
        "folder": str(own),
    }
    with safe_open(values["model"]["checkpoint"], framework="np") as file:
        task |= {key: json.loads(file.metadata()[key]) for key in ("mean", "std") if key in file.metadata()}
    (own / "task.json").write_text(json.dumps({"task": task, "trials": trials}))
    script, started = Path(__file__).with_name("afternoon.py"), time.monotonic()
    words = [sys.executable, str(script), name, str(own / "task.json"), str(time.time())]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-3000:]}")
    return time.monotonic() - started, json.loads(done.stdout.splitlines()[-1])


def one_search(folder: Path, contestant: str, label: int) -> dict[str, Any]:
    """A search, its choice, and the truth about it."""
    if contestant == "bare":
        seconds, told = bare(folder, label, "bare Ray", [{}] * TRIALS["bare"])
        params = told["chosen"]
        _, again = bare(folder, label, "again", [params] * len(TRUTH_SEEDS))
        truth = [(forget, retain) for _, forget, retain in again["ends"]]
    else:
        seconds, params = ours(folder, contestant, label)
        truth = [] if params is None else truth_of_ours(folder, contestant, label, params)
    forget, retain = (fmean(each) for each in zip(*truth, strict=True)) if truth else (1.0, 0.0)
    kept = mask(folder, label)
    return {
        "seconds": seconds,
        "chosen": params,
        "forget": forget,
        "retain": retain,
        "mask": kept,
        "meets": bool(truth) and forget <= MOST_FORGET and retain >= kept - MOST_LOST,
    }


def prepare(folder: Path) -> None:
    """The original model, and the three earlier requests."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "original.safetensors"
    if not checkpoint.is_file():
        values = study(folder, "earlier", EARLIER[0])
        del values["model"]["checkpoint"]
        path = folder / "original.yaml"
        path.write_text(yaml.safe_dump(values))
        words = [sys.executable, "-m", "tuning", "pretrain", str(path), "--json"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        shutil.copy(json.loads(done.stdout)["path"], checkpoint)
    for label in EARLIER:
        if not (folder / "earlier" / f"earlier-{label}" / "report.html").is_file():
            ours(folder, "earlier", label)


def table(runs: list[dict[str, Any]]) -> Table:
    """Seconds to success, and as a share of the script's."""
    shown = Table(
        "contestant", "searches", "seconds, median (range)", "meets the goal", "seconds to success", "bare / it"
    )
    costs = {}
    for name in ("bare", "first", "next"):
        own = [run for run in runs if run["contestant"] == name]
        if not own:
            continue
        seconds, met = [run["seconds"] for run in own], sum(run["meets"] for run in own)
        costs[name] = sum(seconds) / met if met else float("inf")
        ratio = costs["bare"] / costs[name] if "bare" in costs else float("nan")
        span = f"{median(seconds):.0f} ({min(seconds):.0f} to {max(seconds):.0f})"
        shown.add_row(name, str(len(own)), span, f"{met} of {len(own)}", f"{costs[name]:.0f}", f"{ratio:.1f}")
    return shown


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("runs/bench-request"))
    parser.add_argument("--table", action="store_true", help="print the record and do nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    record: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.is_file() else {"runs": []}
    if not arguments.table:
        folder = arguments.folder.resolve()
        prepare(folder)
        for label in ASKED:
            for contestant in ("first", "next", "bare"):
                key = {"contestant": contestant, "forget": label}
                if any(key.items() <= run.items() for run in record["runs"]):
                    continue
                record["runs"].append({**key, **one_search(folder, contestant, label)})
                record |= {"command": "python benchmarks/bench_request.py", "trials": TRIALS, **surroundings()}
                print(record["runs"][-1], flush=True)
                with atomic_write(RECORD) as unfinished:
                    unfinished.write_text(json.dumps(record, indent=1) + "\n")
    Console(width=140).print(table(record["runs"]))


if __name__ == "__main__":
    main()
