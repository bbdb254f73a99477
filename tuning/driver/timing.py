"""What one unlearning of a study costs on this machine, from a few timed ones on a part of its images."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np
import torch

from antisample.config import UnlearnConfig
from antisample.determinism import deterministic
from antisample.device import choose_device
from antisample.errors import AntisampleError
from antisample.inputs import UnlearnInputs
from antisample.methods import RetrainConfig, UnlearnContext, find_method
from antisample.metrics import PARTS, EvaluationSubject, evaluate, image_counts, needing_reference
from antisample.metrics.base import even_positions
from antisample.metrics.probe import probe_anchors
from antisample.types import IndexArray, Splits
from antisample.unlearning import subject_of
from search_spaces import Value
from tuning.config.trial_plan import TrialPlan
from tuning.study.forecast import UnlearningCosts
from tuning.study.space_draws import even_draws

_DRAWS = 3
_FEWEST, _MOST = 256, 16_384
_PASS_S = 3.0
"""About how long a timed pass over the part may take."""
_BUDGET_S = 60.0
"""After this no further metric is timed."""
_BACKWARD = 3
"""A step of training takes about as long as this many predictions."""


@dataclass(frozen=True)
class Measured:
    """What was timed.

    Attributes:
        costs: In seconds, on all images.
        worker_bytes: Memory of a worker.
        gpu_bytes: Memory that it takes of a GPU; 0 on CPUs.
        not_measured: Metric families that are not in the costs.
    """

    costs: UnlearningCosts
    worker_bytes: int
    gpu_bytes: int = 0
    not_measured: tuple[str, ...] = ()


def measure_costs(plan: TrialPlan, inputs: UnlearnInputs, prediction_s: float) -> Measured:
    """Times steps of training and an evaluation, on a part of the images as large as time allows.

    Args:
        plan: Of the study.
        inputs: Of its first forget request; neither reference, neighbours nor probe have to be there.
        prediction_s: About how long the prediction of an image takes.

    Returns:
        The costs on all images.

    Raises:
        AntisampleError: If the method refuses everything that was drawn from the space.
    """
    started = time.perf_counter()
    threads = plan.config.resources.cpus_per_trial
    images = int(min(_MOST, max(_FEWEST, _PASS_S / (_BACKWARD * prediction_s))))
    some = replace(inputs, splits=part_of(inputs.splits, images), original_validation=None, neighbours={})
    share = _n_training(some.splits) / _n_training(inputs.splits)
    with deterministic(threads):
        timed = _timed_unlearnings(plan, some)
        retraining_s = _retraining_s(plan, some)
        evaluation_s, validation_s, left_out = _evaluation_s(plan, inputs, some, timed.model, started)
    costs = UnlearningCosts(
        timed.preparation_s / share,
        timed.epoch_s / share,
        validation_s,
        evaluation_s,
        retraining_s * plan.config.model.recipe.epochs / share,
    )
    return Measured(costs, _resident_bytes() + _image_bytes(inputs), _gpu_bytes(), left_out)


def part_of(splits: Splits, n: int) -> Splits:
    """The splits with `n` training images at most, evenly spaced, and no more to validate and to test."""
    share = min(1.0, n / _n_training(splits))

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


@dataclass(frozen=True)
class _Timed:
    preparation_s: float
    epoch_s: float
    model: torch.nn.Module


def _timed_unlearnings(plan: TrialPlan, inputs: UnlearnInputs) -> _Timed:
    """One for each of a few draws from the space; the first is done twice, since what is first takes longer."""
    draws: list[dict[str, Value]] = even_draws(plan.space, _DRAWS)
    times: list[tuple[float, float]] = []
    model: torch.nn.Module | None = None
    refusal: AntisampleError | None = None
    for params in [draws[0], *draws]:
        try:
            config = plan.unlearn_config(params, plan.trial_seeds[0])
            preparation_s, epoch_s, model = _time_unlearning(config, inputs)
        except AntisampleError as error:
            refusal = error
            continue
        times.append((preparation_s, epoch_s))
    if model is None or not times:
        raise refusal or AntisampleError("Nothing could be timed.")
    times = times[1:] or times
    return _Timed(fmean(each[0] for each in times), fmean(each[1] for each in times), model)


def _time_unlearning(config: UnlearnConfig, inputs: UnlearnInputs) -> tuple[float, float, torch.nn.Module]:
    """Seconds of preparation and of an epoch; the latter are 0 where the number of epochs cannot be set."""
    device, method = choose_device(config.device), config.method
    counted = "epochs" in type(method).model_fields
    if counted:
        method = method.model_copy(update={"epochs": 2})
    context = UnlearnContext(
        inputs.dataset, inputs.splits, inputs.original, device, config.seed, config.precision, inputs.neighbours
    )
    preparation_s, run = _timed(device, lambda: find_method(method.name).prepare(context, method))
    epochs = [_timed(device, run.run_epoch)[0] for _ in range(run.epochs)]
    if not counted:
        return preparation_s + sum(epochs), 0.0, run.model
    return preparation_s, epochs[-1], run.model


def _retraining_s(plan: TrialPlan, inputs: UnlearnInputs) -> float:
    """Seconds of an epoch of training from scratch on the part."""
    config = plan.config
    device = choose_device(config.device)
    recipe = RetrainConfig(**{**config.model.recipe.model_dump(), "epochs": 2})
    context = UnlearnContext(inputs.dataset, inputs.splits, inputs.original, device, recipe.seed)
    run = find_method("retrain").prepare(context, recipe)
    run.run_epoch()
    return _timed(device, run.run_epoch)[0]


def _evaluation_s(
    plan: TrialPlan, inputs: UnlearnInputs, some: UnlearnInputs, model: torch.nn.Module, started: float
) -> tuple[float, float, tuple[str, ...]]:
    """Seconds of an evaluation at the end, of one after an epoch, and the families that are not in it."""
    config = plan.starting_config()
    device = choose_device(config.device)
    settings = config.evaluation.model_copy(update={"max_train_images": len(some.splits.retain)})
    config = config.model_copy(update={"evaluation": settings})
    subject = subject_of(model, some, config)
    predicting_s, _ = _timed(device, lambda: evaluate(subject, PARTS))
    ratio = sum(_counted(inputs, plan).values()) / sum(
        image_counts(some.dataset, some.splits, settings, PARTS).values()
    )
    total_s, left_out = predicting_s, []
    for family in inputs.families(config):
        if family == "classification":
            continue
        try:
            if family in needing_reference((family,)) or time.perf_counter() - started > _BUDGET_S:
                left_out.append(family)
                continue
            measured = subject
            if family == "probe":  # its anchors are measured once a study
                measured = replace(subject, probe=probe_anchors(_original(some, config, device)))
                measured._known.update(subject._known)
            total_s += _timed(device, lambda each=family, it=measured: evaluate(it, PARTS, (each,)))[0]  # type: ignore[misc]
        except (AntisampleError, ValueError, IndexError):  # the part is too small for it
            left_out.append(family)
    counts = _counted(inputs, plan)
    validated = sum(n for part, n in counts.items() if part.startswith("validation/")) / sum(counts.values())
    return total_s * ratio, predicting_s * ratio * validated, tuple(left_out)


def _original(inputs: UnlearnInputs, config: UnlearnConfig, device: torch.device) -> EvaluationSubject:
    return subject_of(inputs.original.build(inputs.dataset, device), inputs, config)


def _counted(inputs: UnlearnInputs, plan: TrialPlan) -> dict[str, int]:
    return image_counts(inputs.dataset, inputs.splits, plan.config.evaluation, PARTS)


def _timed(device: torch.device, work: Callable[[], Any]) -> tuple[float, Any]:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    result = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started, result


def _n_training(splits: Splits) -> int:
    return len(splits.forget) + len(splits.retain)


def _resident_bytes() -> int:
    """The most memory that this process has had, which has done what a worker does."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _image_bytes(inputs: UnlearnInputs) -> int:
    """The training images as a worker copies them, where it works on all of them."""
    return _n_training(inputs.splits) * int(np.prod(inputs.dataset.train.images.shape[1:]))


def _gpu_bytes() -> int:
    if not torch.cuda.is_available():
        return 0
    free, total = torch.cuda.mem_get_info()
    return total - free
