"""Recipes of fine-tuning on CIFAR-10, by hand: what each keeps, forgets and leaves readable.

`python benchmarks/bench_recipes.py --data FOLDER --checkpoint FILE --forget 3 --seeds 0 1 2` unlearns with every
recipe and seed that the record lacks, one after the other, and measures the model by all final metrics. The record
(`records/recipes-cifar10.json`) is written after each, so an interrupted run goes on where it was; models are kept in
`--models` and are not trained twice. `--only NAME ...` takes some recipes, `--table` prints the record.

`--references SEED ...` trains retrained references by the recipe of the original (flips, shifts, 12 epochs), or takes
them from the cache, and measures them likewise.

Seconds are those of the processor (one thread by default), so that something else on the machine does not count.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file, save_file
from surroundings import surroundings

from antisample.config import UnlearnConfig
from antisample.inputs import UnlearnInputs, load_inputs
from antisample.metrics import EvaluationConfig
from antisample.metrics.retrained_reference import ReferenceTraining
from antisample.storage.atomic import atomic_write
from antisample.training.trainer import TrainingRecipe
from antisample.unlearning import evaluate_baselines, evaluate_finished, evaluate_original, unlearn

RECORD = Path(__file__).parent / "records" / "recipes-cifar10.json"

_KEEPING = {"augment": "flip_shift", "schedule": "cosine", "retain_fraction": 0.3}
_SOFT = {**_KEEPING, "unlearn_scale_lr": 1.0, "epochs": 4}
_DEEP = {**_KEEPING, "unlearn_scale_lr": 3.0, "epochs": 5, "batchnorm_mode": "train"}
_STEEP = {**_DEEP, "unlearn_scale_lr": 5.0, "warmup": 0.1}
_ANEW = {**_DEEP, "unlearn_scale_lr": 2.0, "warmup": 0.1, "reinitialise": 2}
_DEEPEST = {**_ANEW, "unlearn_scale_lr": 3.0, "epochs": 4, "reinitialise": 3}
_AT_4 = {"distillation": 0.9, "distillation_temperature": 4.0}
_PUBLISHED = {"unlearn_scale_lr": 1.6, "epochs": 5, "retain_fraction": 0.3}

RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    "published": ("antisample", _PUBLISHED),
    "fine-tune": ("finetune", _PUBLISHED),
    **{
        f"{name}{suffix}": (method, values)
        for name, values in {
            "flips, shifts and cosine": _SOFT,
            "batch norm in train mode": _DEEP,
            "a steep rate": _STEEP,
            "layers 3 and 4 anew": _ANEW,
            "distilled": {**_STEEP, "epochs": 4, "distillation": 0.5},
            "a steep rate, distilled at 4": {**_STEEP, "epochs": 4, **_AT_4},
            "layers 2 to 4 anew, distilled": {**_DEEPEST, "distillation": 0.5},
            "layers 2 to 4 anew, distilled at 4": {**_DEEPEST, **_AT_4},
        }.items()
        for method, suffix in (("finetune", ""), ("antisample", " with anti-samples"))
    },
    "layer 4 anew": ("finetune", {**_DEEP, "unlearn_scale_lr": 1.0, "reinitialise": 1}),
    "SGD": (
        "finetune",
        {
            **_KEEPING,
            "epochs": 5,
            "optimizer": "sgd",
            "unlearn_scale_lr": 5 / 3,
            "momentum": 0.9,
            "weight_decay": 5e-4,
        },
    ),
    "layers 3 and 4 anew, distilled": ("finetune", {**_ANEW, "epochs": 4, "distillation": 0.5}),
    "layers 2 to 4 anew": ("finetune", {**_ANEW, "unlearn_scale_lr": 3.0, "reinitialise": 3}),
    "layers 3 and 4 anew, AdamW": ("finetune", {**_ANEW, "optimizer": "adamw", "weight_decay": 0.05}),
    "filtration": ("filtration", {}),
    "head": ("head", {"retain_fraction": 0.3}),
    "UNSIR": ("unsir", {"retain_fraction": 0.3}),
    "UNSIR at 1e-4": ("unsir", {"retain_fraction": 0.3, "impair_lr": 1e-4, "repair_lr": 1e-4}),
    "trial 9 of the search for cat": (
        "antisample",
        {
            **_KEEPING,
            "unlearn_scale_lr": 2.482,
            "local_variance": 0.9235,
            "p": 0.7986,
            "tail_randomized": 19,
            "size_multiplier": 2,
            "generated_fraction": 0.7218,
            "combination_temperature": 2.425,
            "epochs": 3,
            "batchnorm_mode": "train",
            "anti_sample_weight": 1.530,
            "warmup": 0.1357,
            "max_shift": 2,
            "distillation": 0.5914,
            "distillation_temperature": 6.429,
        },
    ),
}


def config_of(arguments: argparse.Namespace, method: str, values: dict[str, Any], seed: int) -> UnlearnConfig:
    """One unlearning."""
    return UnlearnConfig.parse(
        {
            "data": {"source": str(arguments.data), "cache_dir": str(arguments.cache)},
            "model": {"name": "ResNet18", "checkpoint": str(arguments.checkpoint)},
            "forget": {"classes": [arguments.forget]},
            "method": {"name": method, **values},
            "seed": seed,
            "device": arguments.device,
        }
    )


def unlearned(config: UnlearnConfig, inputs: UnlearnInputs, path: Path) -> tuple[torch.nn.Module, float]:
    """The model, from `path` where it is kept, and the processor's seconds that it took."""
    if path.is_file():
        model = inputs.original.build(inputs.dataset, torch.device(config.device))
        kept = load_file(path)
        elapsed_s = float(kept.pop("elapsed_s"))
        model.load_state_dict(kept)
        return model, elapsed_s
    untested = config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"final": ()})})
    run = unlearn(untested, replace(inputs, left_out={}))
    started, training = time.process_time(), 1.0
    for report in run:
        print(f"  epoch {report.step}: loss {report.train_loss:.4f}, {report.elapsed_s:.0f} s", flush=True)
        training = report.elapsed_s / (report.elapsed_s + report.evaluation_s)
    elapsed_s = (time.process_time() - started) * training
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous() for name, value in run.model.state_dict().items()}
    with atomic_write(path) as unfinished:
        save_file({**weights, "elapsed_s": torch.tensor(elapsed_s, dtype=torch.float64)}, unfinished)
    return run.model, elapsed_s


def reference(arguments: argparse.Namespace, inputs: UnlearnInputs, seed: int) -> tuple[torch.nn.Module, float]:
    """A network that never saw the forget set, and the seconds of its training."""
    recipe = TrainingRecipe(horizontal_flip=True, max_shift=3)
    training = ReferenceTraining(recipe, inputs.dataset, inputs.splits, inputs.original, arguments.cache, seed)
    device = torch.device(arguments.device)
    answers = training.reference(device, EvaluationConfig(final=()), lambda *epoch: print(" ", *epoch, flush=True))
    return training.model(device), answers.elapsed_s


def read_record() -> dict[str, Any]:
    """The record so far."""
    return json.loads(RECORD.read_text()) if RECORD.is_file() else {"runs": [], "baselines": {}}


def write(record: dict[str, Any]) -> None:
    """Keeps the record."""
    with atomic_write(RECORD) as unfinished:
        unfinished.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


def keep(inputs: UnlearnInputs, config: UnlearnConfig, model: torch.nn.Module, run: dict[str, Any]) -> None:
    """Measures a model and adds it to the record; with the first of a class, its baselines, too."""
    metrics = evaluate_finished(model, inputs, config)
    record, label = read_record(), str(run["forget"])
    if label not in record["baselines"]:
        measured = {"original": evaluate_original(inputs, config), **evaluate_baselines(inputs, config)}
        record["baselines"][label] = {name: each.values for name, each in measured.items()}
    figures = {"metrics": metrics.values, "counts": metrics.counts, "surroundings": surroundings()}
    record["runs"].append({**run, **figures})
    write(record)


def table(record: dict[str, Any], part: str) -> Table:
    """What the record holds, a row per run."""
    columns = (
        "retain_accuracy",
        "forget_accuracy",
        "probe_forget",
        "probe_unseen",
        "probe_few",
        "probe_left",
        "mia_loss",
    )
    shown = Table("forget", "recipe", "seed", "seconds", *columns, title=part)
    rows = [
        (label, name, "", "", metrics)
        for label, baselines in record["baselines"].items()
        for name, metrics in baselines.items()
    ]
    rows += [
        (
            str(run["forget"]),
            run["recipe"],
            str(run["seed"]),
            f"{run['elapsed_s']:.0f}" if run["elapsed_s"] else "",
            run["metrics"],
        )
        for run in record["runs"]
    ]
    for *texts, metrics in rows:
        shown.add_row(*texts, *(f"{metrics.get(f'{part}/{name}', float('nan')):.4f}" for name in columns))
    return shown


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("cifar10"))
    parser.add_argument("--checkpoint", type=Path, default=Path("cifar10_resnet18.safetensors"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--models", type=Path, default=Path("runs/recipes"))
    parser.add_argument("--forget", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--references", type=int, nargs="*", default=[])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--train-only", action="store_true", help="keep models, measure nothing")
    parser.add_argument("--table", choices=["validation", "test"], help="print the record and do nothing")
    arguments = parser.parse_args()
    if arguments.table:
        Console(width=200).print(table(read_record(), arguments.table))
        return
    torch.set_num_threads(1)
    plain = config_of(arguments, "finetune", {}, 0)
    inputs = load_inputs(plain)
    for seed in arguments.references:
        key = {"recipe": "retrained reference", "forget": arguments.forget, "seed": seed}
        if any(key.items() <= run.items() for run in read_record()["runs"]):
            continue
        model, elapsed_s = reference(arguments, inputs, seed)
        keep(inputs, plain, model, {**key, "method": "retrain", "values": {}, "elapsed_s": elapsed_s})
    for seed in arguments.seeds:
        for name in arguments.only:
            method, values = RECIPES[name]
            key = {"recipe": name, "forget": arguments.forget, "seed": seed}
            record = read_record()
            if any(key.items() <= run.items() for run in record["runs"]):
                continue
            print(f"{name}, class {arguments.forget}, seed {seed}", flush=True)
            config = config_of(arguments, method, values, seed)
            path = (
                arguments.models / f"{name.replace(' ', '-').replace(',', '')}-{arguments.forget}-{seed}.safetensors"
            )
            model, elapsed_s = unlearned(config, inputs, path)
            if arguments.train_only:
                continue
            keep(inputs, config, model, {**key, "method": method, "values": values, "elapsed_s": elapsed_s})


if __name__ == "__main__":
    main()
