"""What the levers of fine-tuning cost: seconds of a training step with them, as a share of those without.

`python benchmarks/bench_levers.py` trains the ResNet18 on images of CIFAR-10's size by the recipe as published, with
each lever, with all of them but distillation, and with distillation, in turn, several times in one process on one
thread. The images are random: what they show does not change what a step costs. Writes records/levers.json.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import torch
from surroundings import surroundings

from antisample.data.loader import TrainingData
from antisample.methods import AntiSampleConfig, OriginalModel, UnlearnContext
from antisample.methods.finetune import fine_tuner
from antisample.models import build_model
from antisample.storage.atomic import atomic_write
from antisample.training.trainer import Trainer
from antisample.types import Dataset, ImageSet, Preprocessing, Splits

RECORD = Path(__file__).parent / "records" / "levers.json"
BATCH, STEPS = 128, 4
ALL = {
    "optimizer": "adamw",
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup": 0.1,
    "augment": "flip_shift",
    "anti_sample_weight": 0.5,
}
CONTESTANTS: dict[str, dict[str, Any]] = {
    "published": {},
    "SGD": {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 5e-4},
    "cosine": {"schedule": "cosine"},
    "flips and shifts": {"augment": "flip_shift"},
    "weights of anti-samples": {"anti_sample_weight": 0.5},
    "all but distillation": ALL,
    "all": {**ALL, "distillation": 0.5},
}


def context(device: torch.device) -> UnlearnContext:
    """A ResNet18 with fresh weights, and random images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH * STEPS, 3, 32, 32), dtype=np.uint8)
    train = ImageSet(images, np.arange(len(images)) % 10)
    dataset = Dataset("random", train, train, tuple(map(str, range(10))), "random")
    everything = np.arange(len(images))
    splits = Splits((3,), everything[:1], everything[1:], everything, "test", everything, "random")
    torch.manual_seed(0)
    weights = build_model("ResNet18", 10, 3).state_dict()
    preprocessing = Preprocessing((0.5,) * 3, (0.25,) * 3)
    return UnlearnContext(dataset, splits, OriginalModel("ResNet18", weights, preprocessing, "bench"), device, 0)


def trainer(given: UnlearnContext, values: dict[str, Any], epochs: int) -> Trainer:
    """A trainer of an epoch of four steps, a tenth of whose images are anti-samples."""
    n_extra = BATCH * STEPS // 10
    train = given.dataset.train
    pixels = torch.from_numpy(train.images[n_extra:]).to(given.device)
    labels = torch.from_numpy(train.labels[n_extra:]).to(given.device)
    extra = torch.randn(n_extra, 3, 32, 32, device=given.device)
    data = TrainingData(pixels, labels, given.normaliser(), extra, labels[:n_extra] * 0 + 3)
    config = AntiSampleConfig(batch_size=BATCH, epochs=epochs, **values)
    return fine_tuner(replace(given), config, data)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    given = context(torch.device(arguments.device))
    trainers = {name: trainer(given, values, arguments.rounds + 1) for name, values in CONTESTANTS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for round_ in range(arguments.rounds + 1):
        for name, each in trainers.items():
            started = time.process_time() if arguments.device == "cpu" else time.perf_counter()
            each.run_epoch()
            ended = time.process_time() if arguments.device == "cpu" else time.perf_counter()
            if round_:  # the first one warms up
                seconds[name].append((ended - started) / STEPS)
    base = seconds["published"]
    ratios = {name: [one / other for one, other in zip(each, base, strict=True)] for name, each in seconds.items()}
    record = {
        "surroundings": surroundings(),
        "rounds": arguments.rounds,
        "seconds_per_step": {name: median(each) for name, each in seconds.items()},
        "ratio": {name: median(each) for name, each in ratios.items()},
        "ratio_quartiles": {name: quantiles(each, n=4) for name, each in ratios.items()},
    }
    with atomic_write(RECORD) as unfinished:
        unfinished.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    for name, each in record["ratio"].items():
        print(f"{name}: {record['seconds_per_step'][name]:.3f} s a step, {each:.3f} of the published recipe")


if __name__ == "__main__":
    main()
