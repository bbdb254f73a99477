"""Five epochs of unlearning against a plain rendition of the published loop, for each model.

`python benchmarks/bench_unlearn.py --data FOLDER` takes CIFAR-10 from Parquet files, `--data digits` the digits. Both
sides start from the same original weights and train on the same retain images and anti-samples, in eval mode as
published; after every epoch both measure accuracy on a tenth of the retain images, all forget images and a tenth of
the test images. Contestants run in turn, several times, each in a process of its own:

- plain: a DataLoader over a list of tensor pairs, Adam, and the network as torchvision builds it;
- ours: what `antisample.unlearn` does, in float32;
- bfloat16: the same with `precision: bfloat16`.

`--share` takes that share of all images, since ResNet9 and AllCNN need minutes an epoch on CPUs. `--inside N` repeats
N times within each process, as a worker runs trial after trial. `--accuracy N` runs ours in both precisions with N
seeds instead and compares what they keep and forget, of originals trained for it where there is not a checkpoint.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import numpy as np
import torch
from rich.console import Console
from surroundings import surroundings
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from antisample.checkpoints.checkpoint import load_checkpoint
from antisample.data.drawing import SplitConfig, stratified_subset
from antisample.data.forget_request import ForgetRequest
from antisample.data.loader import TrainingData, to_device
from antisample.data.splits import make_splits
from antisample.datasets import load_dataset
from antisample.methods import AntiSampleConfig, OriginalModel, UnlearnContext, find_method
from antisample.methods.finetune import fine_tuner, retain_subset
from antisample.metrics import predict
from antisample.models import build_model, pretrain
from antisample.models.config import ModelConfig
from antisample.training.trainer import TrainingRecipe
from antisample.types import Dataset, ImageSet, IndexArray, Preprocessing, Splits

RECORDS = Path(__file__).parent / "records"
MODELS = ("ResNet18", "MobileNet_v2", "ResNet9", "AllCNN")
EPOCHS, BATCH, FORGET = 5, 128, 3
PREPROCESSING = Preprocessing((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616))


@dataclass(frozen=True)
class Task:
    """What both sides are given: how to unlearn, the data to train on, and the three parts that are measured."""

    context: UnlearnContext
    config: AntiSampleConfig
    retain: IndexArray
    anti_samples: torch.Tensor
    parts: dict[str, tuple[ImageSet, IndexArray]]

    def data(self) -> TrainingData:
        """Retain images as pixels, and anti-samples."""
        images, labels = to_device(self.context.dataset.train, self.retain, self.context.device)
        extra = labels.new_full((len(self.anti_samples),), FORGET)
        return TrainingData(images, labels, self.context.normaliser(), self.anti_samples, extra)


def make_task(arguments: argparse.Namespace, precision: str) -> Task:
    """Loads a share of the data and makes the anti-samples, which no side is timed for."""
    dataset = loaded(arguments.data)
    splits = make_splits(dataset, ForgetRequest(classes=(FORGET,)), SplitConfig(), has_checkpoint=True)
    original = original_model(arguments, dataset, splits)
    rng = np.random.default_rng(0)
    forget, retain = (
        part[stratified_subset(dataset.train.labels[part], arguments.share, rng)]
        for part in (splits.forget, splits.retain)
    )
    splits = Splits(splits.forget_classes, forget, retain, splits.validation, "test", splits.test, "share")
    device = torch.device(arguments.device)
    context = UnlearnContext(dataset, splits, original, device, arguments.seed, precision)  # type: ignore[arg-type]
    config = AntiSampleConfig(epochs=EPOCHS, batch_size=BATCH, retain_fraction=arguments.retain)
    prepared: Any = find_method("antisample").prepare(context, config)
    tenth = stratified_subset(dataset.train.labels[retain], 0.1, rng)
    test = stratified_subset(dataset.test.labels, 0.1 * arguments.share, rng)
    if arguments.accuracy:
        test = np.arange(len(dataset.test))
    parts = {
        "retain": (dataset.train, retain[tenth]),
        "forget": (dataset.train, forget),
        "test": (dataset.test, test),
    }
    return Task(context, config, retain_subset(context, arguments.retain), prepared.data.extra_images, parts)


@cache
def loaded(source: Path) -> Dataset:
    """The data, decoded once."""
    return load_dataset(str(source), cache_dir=Path("runs/cache"))


def original_model(arguments: argparse.Namespace, dataset: Dataset, splits: Splits) -> OriginalModel:
    """The given checkpoint of a trained ResNet18; else random weights, which take the same time, or trained ones."""
    if arguments.checkpoint:
        weights = load_checkpoint(arguments.checkpoint).state_dict
    elif arguments.accuracy:
        model = ModelConfig(name=arguments.model, recipe=TrainingRecipe(epochs=4))
        return pretrain.original_model(model, dataset, splits, Path("runs/cache"), torch.device(arguments.device))
    else:
        torch.manual_seed(0)
        weights = build_model(arguments.model, dataset.n_classes, dataset.channels).state_dict()
    return OriginalModel(arguments.model, weights, PREPROCESSING, "benchmark")


def plain(task: Task) -> tuple[nn.Module, dict[str, float]]:
    """The published loop as one writes it."""
    context, device = task.context, task.context.device
    model = build_model(context.original.name, context.dataset.n_classes, context.dataset.channels)
    model.load_state_dict(context.original.state_dict)
    model.to(device).eval()
    normalise = context.normaliser()

    def pairs(images: ImageSet, positions: IndexArray) -> list[tuple[torch.Tensor, int]]:
        pixels, _ = to_device(images, positions, device)
        return list(zip(normalise(pixels).cpu(), images.labels[positions].tolist(), strict=True))

    training = pairs(context.dataset.train, task.retain) + [(sample, FORGET) for sample in task.anti_samples.cpu()]
    parts = {name: DataLoader(pairs(*part), BATCH) for name, part in task.parts.items()}
    torch.manual_seed(context.seed)
    loader = DataLoader(training, BATCH, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=task.config.learning_rate)
    training_s = evaluation_s = 0.0
    accuracies: dict[str, float] = {}
    for _ in range(EPOCHS):
        started = time.perf_counter()
        for images, labels in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
        trained = time.perf_counter()
        with torch.no_grad():
            for name, part in parts.items():
                right = sum(
                    (model(images.to(device)).argmax(1) == labels.to(device)).sum().item() for images, labels in part
                )
                accuracies[name] = right / len(part.dataset)  # type: ignore[arg-type]
        evaluation_s += time.perf_counter() - trained
        training_s += trained - started
    return model, {"training_s": training_s, "evaluation_s": evaluation_s, **accuracies}


def ours(task: Task) -> tuple[nn.Module, dict[str, float]]:
    """What a trial does after its anti-samples are made."""
    context = task.context
    trainer = fine_tuner(context, task.config, task.data())
    training_s = evaluation_s = 0.0
    accuracies: dict[str, float] = {}
    a_pass = 500 if context.device.type == "cpu" else 2000
    while trainer.epochs_done < trainer.epochs:
        started = time.perf_counter()
        trainer.run_epoch()
        trained = time.perf_counter()
        for name, part in task.parts.items():
            found = predict(
                trainer.model,
                *part,
                context.normaliser(),
                context.device,
                a_pass,
            )
            accuracies[name] = float(found.correct().mean())
        evaluation_s += time.perf_counter() - trained
        training_s += trained - started
    return trainer.model, {"training_s": training_s, "evaluation_s": evaluation_s, **accuracies}


CONTESTANTS: dict[str, tuple[Callable[[Task], tuple[nn.Module, dict[str, float]]], str]] = {
    "plain": (plain, "float32"),
    "ours": (ours, "float32"),
    "bfloat16": (ours, "bfloat16"),
}


def runs_here(arguments: argparse.Namespace) -> list[dict[str, float]]:
    """The runs of one contestant in this process: one, or `--inside` of them."""
    _, precision = CONTESTANTS[arguments.contestant]
    found: list[dict[str, float]] = []
    task = make_task(arguments, precision)
    while len(found) < arguments.inside:
        if found and arguments.accuracy:
            arguments.seed += 1
            task = make_task(arguments, precision)
        found.append(one_run(arguments, task))
    return found


def one_run(arguments: argparse.Namespace, task: Task) -> dict[str, float]:
    """Seconds, accuracies on test images and speed of one contestant."""
    run, _ = CONTESTANTS[arguments.contestant]
    model, found = run(task)
    images = EPOCHS * (len(task.retain) + len(task.anti_samples))
    seen = sum(len(positions) for _, positions in task.parts.values()) * EPOCHS
    found["total_s"] = found["training_s"] + found["evaluation_s"]
    found["images_per_s"] = images / found["training_s"]
    dataset = task.context.dataset
    counted = build_model(arguments.model, dataset.n_classes, dataset.channels).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        counted(torch.zeros(1, *dataset.train.images.shape[1:]))
    found["gflops_per_s"] = counter.get_total_flops() * (3 * images + seen) / found["total_s"] / 1e9
    if arguments.accuracy:
        test, positions = task.parts["test"]
        right = predict(model, test, positions, task.context.normaliser(), task.context.device, 500)
        forget = right.forget_mask((FORGET,))
        found["test_retain"] = float(right.correct()[~forget].mean())
        found["test_forget"] = float(right.correct()[forget].mean())
    return found


def peak_gflops(device: torch.device, dtype: torch.dtype) -> float:
    """Measured speed of a product of two 2,048 x 2,048 matrices (8,192 on GPUs), the best of ten."""
    size = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best / 1e9


def in_own_process(arguments: argparse.Namespace, contestant: str, model: str, seed: int) -> list[dict[str, float]]:
    """Runs a contestant in a process of its own."""
    command = [sys.executable, __file__, "--contestant", contestant, "--model", model, "--seed", str(seed)]
    for name in ("data", "share", "retain", "device", "accuracy", "threads", "inside"):
        command += [f"--{name}", str(getattr(arguments, name))]
    if arguments.checkpoint:
        command += ["--checkpoint", str(arguments.checkpoint)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{contestant}: {done.stderr[-3000:]}")
    found: list[dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Runs all contestants, prints the ratios and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--retain", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--accuracy", type=int, default=0)
    parser.add_argument("--inside", type=int, default=1)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--name", default="unlearn")
    parser.add_argument("--contestant", choices=list(CONTESTANTS))
    parser.add_argument("--model", default=MODELS[0])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.contestant:
        print(json.dumps(runs_here(arguments)))
        return
    console, device = Console(), torch.device(arguments.device)
    record: dict[str, Any] = {"command": " ".join(["python", *sys.argv]), **surroundings(), "models": {}}
    record["peak_gflops"] = {str(dtype)[6:]: peak_gflops(device, dtype) for dtype in (torch.float32, torch.bfloat16)}
    console.print(record["peak_gflops"])
    for model in arguments.models.split(","):
        names = ("ours", "bfloat16") if arguments.accuracy else tuple(CONTESTANTS)
        rounds = -(-(arguments.accuracy or arguments.repeats) // arguments.inside)
        runs: dict[str, list[dict[str, float]]] = {contestant: [] for contestant in names}
        for repeat in range(rounds):
            for contestant, seen in runs.items():
                first = repeat * arguments.inside if arguments.accuracy else 0
                seen.extend(in_own_process(arguments, contestant, model, first))
        record["models"][model] = runs
        for contestant, seen in runs.items():
            console.print(model, contestant, accuracies(seen) if arguments.accuracy else speed(seen, runs["plain"]))
        RECORDS.mkdir(exist_ok=True)
        (RECORDS / f"{arguments.name}.json").write_text(json.dumps(record, indent=1))


def accuracies(seen: list[dict[str, float]]) -> str:
    """One line: what a contestant keeps and forgets of the test images, over its seeds."""
    return ", ".join(
        f"{name} {100 * fmean(values):.2f} ± {100 * stdev(values) / len(values) ** 0.5:.2f} (standard error)"
        for name in ("test_retain", "test_forget")
        for values in [[run[name] for run in seen]]
    )


def speed(seen: list[dict[str, float]], plain_runs: list[dict[str, float]]) -> str:
    """One line: the ratio to plain with its spread, and where the time goes."""
    ratios = [one["total_s"] / other["total_s"] for one, other in zip(plain_runs, seen, strict=True)]
    middle = {name: median(run[name] for run in seen) for name in seen[0]}
    return (
        f"{median(ratios):.2f} x plain ({min(ratios):.2f} to {max(ratios):.2f}), {middle['total_s']:.1f} s of which "
        f"{middle['evaluation_s']:.1f} s evaluation, {middle['images_per_s']:.0f} images/s, "
        f"{middle['gflops_per_s']:.0f} GFLOP/s"
    )


if __name__ == "__main__":
    main()
