"""What one unlearning of a study costs on this machine, from a few timed ones on a part of its images."""

import resource
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

import numpy as np
import torch

from antisample.config import UnlearnConfig
from antisample.determinism import deterministic
from antisample.device import choose_device
from antisample.errors import AntisampleError, ConfigError
from antisample.inputs import UnlearnInputs
from antisample.methods import UnlearnContext, find_method
from antisample.metrics import PARTS, EvaluationSubject, evaluate, image_counts, needing_reference
from antisample.metrics.probe import probe_anchors
from antisample.types import SplitName
from antisample.unlearning import Measures, subject_of
from search_spaces import Value
from tuning.config.trial_plan import TrialPlan
from tuning.study.forecast import UnlearningCosts
from tuning.study.space_draws import even_draws
from tuning.trials.needed_metrics import needed_measures
from tuning.worker.retraining_time import (
    OUT_OF_MEMORY,
    n_training,
    part_in_time,
    part_of,
    retraining_s,
    run_epoch,
    timed,
)

_DRAWS = 3
_WARM = 100
_BUDGET_S = 40.0
"""After this much evaluation no further metric is timed."""


@dataclass(frozen=True)
class Measured:
    """What was timed.

    Attributes:
        costs: In seconds, on all images.
        worker_bytes: Memory of a worker.
        first_s: How much longer a worker takes for its first trial, mostly to import what measures it.
        gpu_bytes: Memory that it takes of a GPU; 0 on CPUs.
        not_measured: Metric families that are not in the costs.
    """

    costs: UnlearningCosts
    worker_bytes: int
    first_s: float = 0.0
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
    threads = plan.config.resources.cpus_per_trial
    some = part_in_time(inputs, prediction_s)
    share = n_training(some.splits) / n_training(inputs.splits)
    try:
        with deterministic(threads):
            preparation_s, epoch_s = _unlearning_s(plan, some)
            retrained_s = retraining_s(plan, some, n_training(inputs.splits))
            first_s = _first_s(plan, some)
            evaluation_s, validation_s, left_out = _evaluation_s(plan, inputs, some)
    except torch.cuda.OutOfMemoryError:
        raise ConfigError(OUT_OF_MEMORY.format("a trial")) from None
    costs = UnlearningCosts(
        preparation_s / share,
        epoch_s / share,
        validation_s,
        evaluation_s,
        retrained_s,
    )
    return Measured(costs, _resident_bytes() + _image_bytes(inputs), first_s, _gpu_bytes(), left_out)


def _unlearning_s(plan: TrialPlan, inputs: UnlearnInputs) -> tuple[float, float]:
    """Mean seconds of preparation and of an epoch, over a few draws from the space.

    The first is done twice, since what is done for the first time takes longer.
    """
    draws: list[dict[str, Value]] = even_draws(plan.space, _DRAWS)
    times: list[tuple[float, float]] = []
    refusal: AntisampleError | None = None
    for params in [draws[0], *draws]:
        try:
            times.append(_time_unlearning(plan.unlearn_config(params, plan.trial_seeds[0]), inputs))
        except AntisampleError as error:
            refusal = error
    if not times:
        raise refusal or AntisampleError("Nothing could be timed.")
    times = times[1:] or times
    return fmean(preparation_s for preparation_s, _ in times), fmean(epoch_s for _, epoch_s in times)


def _time_unlearning(config: UnlearnConfig, inputs: UnlearnInputs) -> tuple[float, float]:
    """Seconds of preparation and of an epoch; the latter are 0 where the number of epochs cannot be set.

    On a GPU the first epoch of each is longer, since its step is captured.
    """
    device, method = choose_device(config.device), config.method
    counted = "epochs" in type(method).model_fields
    if counted:
        method = method.model_copy(update={"epochs": 2})
    context = UnlearnContext(
        inputs.dataset, inputs.splits, inputs.original, device, config.seed, config.precision, inputs.neighbours
    )
    preparation_s, run = timed(device, lambda: find_method(method.name).prepare(context, method))
    n = 1 if counted and device.type == "cpu" else run.epochs
    epochs = [timed(device, partial(run_epoch, run))[0] for _ in range(n)]
    return (preparation_s, epochs[-1]) if counted else (preparation_s + sum(epochs), 0.0)


def _first_s(plan: TrialPlan, some: UnlearnInputs) -> float:
    """Seconds of measuring a few images, which is done for the first time and imports what it needs."""
    config = plan.starting_config()
    families = [name for name in some.families(config) if name != "classification"]
    subject = _original(replace(some, splits=part_of(some.splits, _WARM)), config)
    return timed(subject.device, partial(_family_times, subject, families))[0]


def _evaluation_s(
    plan: TrialPlan, inputs: UnlearnInputs, some: UnlearnInputs
) -> tuple[float, float, tuple[str, ...]]:
    """Seconds of an evaluation at the end, of one after an epoch, and the families that are not in it.

    It is the original that is evaluated, which takes as long as any other network of its kind.
    """
    config = plan.starting_config()
    settings = config.evaluation.model_copy(update={"max_train_images": len(some.splits.retain)})
    config = config.model_copy(update={"evaluation": settings})
    parts, needed = needed_measures(plan.config) or Measures(PARTS, inputs.families(config))
    counts = image_counts(inputs.dataset, inputs.splits, plan.config.evaluation, parts)
    ratio = sum(counts.values()) / sum(image_counts(some.dataset, some.splits, settings, parts).values())
    families = [name for name in inputs.families(config) if name != "classification" and name in needed]
    subject = _original(some, config)
    predicting_s, _ = timed(subject.device, lambda: evaluate(subject, parts))
    times = _family_times(subject, families, parts)
    validated = sum(n for part, n in counts.items() if part.startswith("validation/")) / sum(counts.values())
    left_out = tuple(name for name in families if name not in times)
    return ratio * (predicting_s + sum(times.values())), ratio * predicting_s * validated, left_out


def _family_times(
    subject: EvaluationSubject, families: Sequence[str], parts: Sequence[SplitName] = PARTS
) -> dict[str, float]:
    """Seconds that each family takes beside the predictions; without those that cannot be timed, or not in time."""
    started, times = time.perf_counter(), {}
    for family in families:
        if needing_reference((family,)) or time.perf_counter() - started > _BUDGET_S:
            continue
        with suppress(AntisampleError, ValueError, IndexError):  # the part is too small for it
            # The anchors of the probe are measured once a study.
            ready = replace(subject, probe=probe_anchors(subject)) if family == "probe" else subject
            times[family] = timed(subject.device, partial(evaluate, ready, parts, (family,)))[0]
    return times


def _original(inputs: UnlearnInputs, config: UnlearnConfig) -> EvaluationSubject:
    return subject_of(inputs.original.build(inputs.dataset, choose_device(config.device)), inputs, config)


def _resident_bytes() -> int:
    """The most memory that this process has had, which has done what a worker does."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _image_bytes(inputs: UnlearnInputs) -> int:
    """The training images as a worker copies them, where it works on all of them."""
    return n_training(inputs.splits) * int(np.prod(inputs.dataset.train.images.shape[1:]))


def _gpu_bytes() -> int:
    if not torch.cuda.is_available():
        return 0
    free, total = torch.cuda.mem_get_info()
    return total - free
