"""What one retraining takes on this machine, from timed steps on a part of the images."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch

from antisample.determinism import deterministic
from antisample.device import choose_device
from antisample.errors import ConfigError, DivergedError
from antisample.inputs import UnlearnInputs
from antisample.methods import RetrainConfig, UnlearnContext, UnlearningRun, find_method
from antisample.metrics import EvaluationSubject, Predictions
from antisample.metrics.base import even_positions
from antisample.types import IndexArray, Splits
from antisample.unlearning import subject_of
from tuning.config.trial_plan import TrialPlan
from tuning.worker.inputs import RequestInputs

OUT_OF_MEMORY = (
    "The GPU ran out of memory when {} was timed: set a smaller `fixed.batch_size` or `evaluation.batch_size`."
)
_FEWEST, _MOST = 256, 16_384
_PASS_S = 3.0
"""About how long a timed pass over the part may take."""
_BACKWARD = 3
"""A step of training takes about as long as this many predictions."""


def time_retraining(inputs: RequestInputs, plan: TrialPlan) -> float:
    """Seconds of one retraining of the first request: the recipe of the reference, with a trial's threads.

    Raises:
        ConfigError: If the GPU runs out of memory.
    """
    first = inputs[0]
    config = plan.starting_config()
    try:
        with deterministic(plan.config.resources.cpus_per_trial):
            few = replace(first, splits=part_of(first.splits, _FEWEST), original_validation=None, neighbours={})
            model = first.original.build(first.dataset, choose_device(config.device))
            _, prediction_s = predicted(subject_of(model, few, config))
            return retraining_s(plan, part_in_time(first, prediction_s), n_training(first.splits))
    except torch.cuda.OutOfMemoryError:
        raise ConfigError(OUT_OF_MEMORY.format("a retraining")) from None


def retraining_s(plan: TrialPlan, some: UnlearnInputs, n_images: int) -> float:
    """Seconds of training from scratch on as large a part of so many images as the retain images are.

    Args:
        plan: Of the study.
        some: A part of the inputs.
        n_images: Training images of the whole.
    """
    config = plan.config
    device = choose_device(config.device)
    recipe = RetrainConfig(**{**config.model.recipe.model_dump(), "epochs": 2})
    context = UnlearnContext(some.dataset, some.splits, some.original, device, recipe.seed)
    run = find_method("retrain").prepare(context, recipe)
    epoch_s = [timed(device, lambda: run_epoch(run))[0] for _ in range(2)][-1]
    return epoch_s * config.model.recipe.epochs * n_images / n_training(some.splits)


def part_in_time(inputs: UnlearnInputs, prediction_s: float) -> UnlearnInputs:
    """The inputs with as many images as a pass of training gets through in a few seconds.

    Args:
        inputs: All of them.
        prediction_s: About how long the prediction of an image takes.
    """
    images = int(min(_MOST, max(_FEWEST, _PASS_S / (_BACKWARD * prediction_s))))
    return replace(inputs, splits=part_of(inputs.splits, images), original_validation=None, neighbours={})


def part_of(splits: Splits, n: int) -> Splits:
    """The splits with `n` training images at most, evenly spaced, and no more to validate and to test."""
    share = min(1.0, n / n_training(splits))

    def some(positions: IndexArray, most: int) -> IndexArray:
        return even_positions(positions, max(1, most))

    return replace(
        splits,
        forget=some(splits.forget, round(share * len(splits.forget))),
        retain=some(splits.retain, round(share * len(splits.retain))),
        validation=some(splits.validation, n),
        test=some(splits.test, n),
        fingerprint=f"{splits.fingerprint} {n}",
    )


def predicted(subject: EvaluationSubject) -> tuple[Predictions, float]:
    """The predictions of the validation part, and the seconds that each took."""
    started = time.perf_counter()
    predictions = subject.predictions("validation")
    return predictions, (time.perf_counter() - started) / max(1, len(predictions.labels))


def run_epoch(run: UnlearningRun) -> None:
    """Does an epoch, which takes its time also where it comes to nothing."""
    with suppress(DivergedError):
        run.run_epoch()


def timed(device: torch.device, work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of some work, and what came of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    result = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started, result


def n_training(splits: Splits) -> int:
    """Training images, to forget and to retain."""
    return len(splits.forget) + len(splits.retain)
