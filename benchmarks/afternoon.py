"""What one writes in an afternoon: the published procedure as a plain function, in a loop or under bare Ray Tune.

The task is that of `bench_search.py`. Everything here is deliberately plain: NumPy and scikit-learn for the
anti-samples, a DataLoader over a list of tensor pairs, evaluation after every epoch, all of it anew in every trial.
What is measured is what our trials measure: validation images after every epoch, images of training and test at the
end.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from scipy.special import softmax
from sklearn.metrics.pairwise import euclidean_distances
from torch import nn
from torch.utils.data import DataLoader

from antisample.data.drawing import SplitConfig
from antisample.data.forget_request import ForgetRequest
from antisample.data.splits import make_splits
from antisample.datasets import load_dataset
from antisample.models import build_model
from antisample.types import ImageSet, IndexArray

EPS, BATCH = 0.01, 128


def unlearn(task: dict[str, Any], params: dict[str, Any]) -> Iterator[tuple[float, float]]:
    """One trial; yields forget and retain accuracy on validation images after each epoch.

    Args:
        task: `data`, `model`, `checkpoint`, `mean`, `std`, `forget` and `epochs`.
        params: The searched parameters, named as published.
    """
    data = load_dataset(task["data"], cache_dir=Path(task["cache"]))
    request, held_out = ForgetRequest(classes=(task["forget"],)), task["has_checkpoint"]
    splits = make_splits(data, request, SplitConfig(), has_checkpoint=held_out)
    mean, std = (np.array(task[name]).reshape(1, -1, 1, 1) for name in ("mean", "std"))
    rng = np.random.default_rng()
    chosen = np.sort(rng.permutation(splits.retain)[: round(task["retain_fraction"] * len(splits.retain))])
    u, r = ((data.train.images[part] / 255 - mean) / std for part in (splits.forget, chosen))
    shape, labels = u.shape[1:], data.train.labels[chosen]
    u, r = u.reshape(len(u), -1), r.reshape(len(r), -1)
    far = np.argsort(euclidean_distances(u, r), axis=1)[:, ::-1][:, : params["tail_randomized"]]
    draws = []
    for _ in range(params["size_multiplier"]):
        f = r[far[np.arange(len(u)), rng.integers(far.shape[1], size=len(u))]]
        noise = rng.normal(size=u.shape) * (np.abs(u - f) + EPS) * params["local_variance"]
        draws.append(np.where(rng.random(u.shape) < params["p"], f + noise, f))
    pool = np.concatenate(draws)
    count = max(1, round(params["generated_fraction"] * np.count_nonzero(labels == labels.max())))
    weights = softmax(params["combination_temperature"] * rng.normal(size=(count, len(pool))), axis=1)
    anti_samples = (weights @ pool).reshape(-1, *shape)
    pairs = [(torch.tensor(x, dtype=torch.float32).view(shape), int(y)) for x, y in zip(r, labels, strict=True)]
    pairs += [(torch.tensor(x, dtype=torch.float32), task["forget"]) for x in anti_samples]
    held_out_images = data.split(splits.validation_from)
    some = np.linspace(0, len(splits.retain) - 1, min(len(splits.retain), 10_000)).astype(int)

    def measured(images: ImageSet, positions: IndexArray) -> DataLoader[Any]:
        pixels = ((images.images[i] / 255 - mean[0]) / std[0] for i in positions)
        pairs = zip(pixels, images.labels[positions], strict=True)
        return DataLoader([(torch.tensor(x, dtype=torch.float32), int(y)) for x, y in pairs], BATCH)  # type: ignore[arg-type]

    validation = measured(held_out_images, splits.validation)
    at_the_end = [
        measured(data.train, splits.forget),
        measured(data.train, splits.retain[some]),
        measured(data.test, splits.test),
    ]
    model = build_model(task["model"], data.n_classes, data.channels)
    model.load_state_dict(load_file(task["checkpoint"]))
    model.eval()
    optimizer = torch.optim.Adam(model.parameters(), lr=params["unlearn_scale_lr"] * 1e-3)
    for epoch in range(task["epochs"]):
        for images, targets in DataLoader(pairs, BATCH, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), targets).backward()
            optimizer.step()
        forget, retain = accuracies(model, validation, task["forget"])
        if epoch == task["epochs"] - 1:
            for part in at_the_end:
                accuracies(model, part, task["forget"])
        yield forget, retain


def accuracies(model: nn.Module, images: DataLoader[Any], forgotten: int) -> tuple[float, float]:
    """Accuracy on images of the forgotten class, and on all others."""
    right = {True: [0, 0], False: [0, 0]}
    with torch.no_grad():
        for inputs, targets in images:
            for target, hit in zip(targets.tolist(), (model(inputs).argmax(1) == targets).tolist(), strict=True):
                right[target == forgotten][0] += hit
                right[target == forgotten][1] += 1
    return right[True][0] / max(right[True][1], 1), right[False][0] / max(right[False][1], 1)


def loop(task: dict[str, Any], trials: list[dict[str, Any]], started: float) -> dict[str, Any]:
    """Trial after trial in this process, with all cores."""
    first, ends = time.time() - started, []
    for params in trials:
        *_, (forget, retain) = unlearn(task, params)
        ends.append((time.time() - started, forget, retain))
    return {"first_trial_s": first, "total_s": time.time() - started, "ends": ends}


def bare_ray(task: dict[str, Any], trials: list[dict[str, Any]], started: float) -> dict[str, Any]:
    """Ray Tune with OptunaSearch, Ray's MLflow logging and a function trainable."""
    import ray  # noqa: PLC0415
    from ray import tune  # noqa: PLC0415
    from ray.air.integrations.mlflow import MLflowLoggerCallback  # noqa: PLC0415
    from ray.tune.search.optuna import OptunaSearch  # noqa: PLC0415

    folder = Path(task["folder"])
    begun = folder / "begun"

    def trainable(config: dict[str, Any]) -> None:
        if not begun.exists():
            begun.touch()
        for forget, retain in unlearn(task, config):
            tune.report({"forget": forget, "retain": retain})

    ray.init(include_dashboard=False, log_to_driver=False)
    space = {
        "unlearn_scale_lr": tune.loguniform(0.1, 6.0),
        "local_variance": tune.loguniform(0.1, 10.0),
        "p": tune.uniform(0.5, 1.0),
        "tail_randomized": tune.lograndint(1, 51),
        "size_multiplier": tune.randint(1, 6),
        "generated_fraction": tune.loguniform(0.1, 2.0),
        "combination_temperature": tune.loguniform(1.0, 30.0),
    }
    results = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(metric=["forget", "retain"], mode=["min", "max"]), num_samples=len(trials)
        ),
        run_config=tune.RunConfig(
            storage_path=str(folder),
            callbacks=[
                MLflowLoggerCallback(tracking_uri=f"sqlite:///{folder}/mlflow.db", experiment_name="afternoon")
            ],
        ),
    ).fit()
    if results.num_errors:
        raise RuntimeError(f"{results.num_errors} trials failed: {results.errors[0]}")
    total = time.time() - started
    ray.shutdown()
    found = [result.metrics or {} for result in results]
    return {
        "first_trial_s": begun.stat().st_mtime - started,
        "total_s": total,
        "ends": sorted((one["timestamp"] - started, one["forget"], one["retain"]) for one in found),
        "chosen": chosen([(one["config"], one["forget"], one["retain"]) for one in found]),
    }


def chosen(found: list[tuple[dict[str, Any], float, float]]) -> dict[str, Any]:
    """Parameters of the trial that keeps most, of those that forget 99 %, or else of the one that forgets most."""
    return max(found, key=lambda one: (one[1] <= 0.01, one[2] if one[1] <= 0.01 else -one[1]))[0]


def again(task: dict[str, Any], trials: list[dict[str, Any]], started: float) -> dict[str, Any]:
    """Every set of parameters once more, as `loop`, on one thread: for the truth about a choice."""
    torch.set_num_threads(1)
    return loop(task, trials, started)


CONTESTANTS: dict[str, Callable[[dict[str, Any], list[dict[str, Any]], float], dict[str, Any]]] = {
    "loop": loop,
    "bare Ray": bare_ray,
    "again": again,
}


if __name__ == "__main__":
    import json

    name, task_file, begun_at = sys.argv[1:]
    content = json.loads(Path(task_file).read_text())
    print(json.dumps(CONTESTANTS[name](content["task"], content["trials"], float(begun_at))))
