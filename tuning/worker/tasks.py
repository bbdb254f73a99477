"""Functions that the driver has run on workers besides trials: runs with fresh seeds, and measurements of a GPU."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import torch

from antisample.determinism import deterministic
from antisample.device import choose_device
from antisample.errors import AntisampleError
from antisample.metrics.retrained_reference import ReferenceTraining
from antisample.unlearning import Measures, unlearn
from tuning.config.trial_plan import TrialPlan
from tuning.worker.fingerprints import check_node
from tuning.worker.inputs import RequestInputs, counts_of, mean
from tuning.worker.messages import RunResult


def run_once(
    inputs: RequestInputs,
    plan: TrialPlan,
    params: dict[str, Any],
    seed: int,
    batch_halvings: int,
    measures: Measures | None = None,
) -> RunResult:
    """Every forget request with one seed; see `unlearn` for `measures`."""
    check_node(plan.plugins)
    configs = [plan.unlearn_config(params, seed, request) for request in range(len(inputs))]
    with deterministic(plan.config.resources.cpus_per_trial):
        ends = [
            list(unlearn(config.with_batches_halved(batch_halvings), each, measures))[-1]
            for config, each in zip(configs, inputs, strict=True)
        ]
    return RunResult(
        mean([end.metrics.values for end in ends]),
        counts_of(plan.config, inputs),
        fmean(end.elapsed_s for end in ends),
        sum(end.elapsed_s + end.evaluation_s for end in ends),
    )


def train_reference(
    trainings: Sequence[ReferenceTraining], index: int, device: str, threads: int, told: Any
) -> bytes:
    """Trains a retrained reference, or finds it in the cache that this machine sees.

    Args:
        trainings: Those of a request, which share the data.
        index: Which of them.
        device: As in a study.
        threads: Threads of torch.
        told: A queue of Ray; gets the loss after each epoch.

    Returns:
        Its file.
    """

    def on_epoch(epoch: int, epochs: int, loss: float) -> None:
        del epoch, epochs
        told.put(loss)

    with deterministic(threads):
        return trainings[index].train(choose_device(device), on_epoch)


def gpu_memory() -> int | None:
    """Bytes of the GPU; None without one."""
    return torch.cuda.mem_get_info()[1] if torch.cuda.is_available() else None


def measure_trial_memory(inputs: RequestInputs, plan: TrialPlan) -> list[int] | None:
    """Memory of the first trial's first epoch with its evaluation: used and total bytes; None without a GPU."""
    if not torch.cuda.is_available():
        return None
    try:
        next(unlearn(plan.starting_config(), inputs[0]))
    except (AntisampleError, torch.cuda.OutOfMemoryError):
        return None
    free, total = torch.cuda.mem_get_info()
    # What the driver says is in use is the peak: torch keeps what it once had.
    return [total - free, total]
