"""Functions that the driver has run on workers besides trials: runs with fresh seeds, and measurements of a GPU."""

from statistics import fmean
from typing import Any

import torch

from antisample.determinism import deterministic
from antisample.errors import AntisampleError
from antisample.unlearning import unlearn
from tuning.config.trial_plan import TrialPlan
from tuning.worker.inputs import RequestInputs, counts_of, mean
from tuning.worker.messages import RunResult


def run_once(
    inputs: RequestInputs, plan: TrialPlan, params: dict[str, Any], seed: int, batch_halvings: int
) -> RunResult:
    """Every forget request with one seed."""
    configs = [plan.unlearn_config(params, seed, request) for request in range(len(inputs))]
    with deterministic(plan.config.resources.cpus_per_trial):
        ends = [
            list(unlearn(config.with_batches_halved(batch_halvings), each))[-1]
            for config, each in zip(configs, inputs, strict=True)
        ]
    return RunResult(
        mean([end.metrics.values for end in ends]),
        counts_of(plan.config, inputs),
        fmean(end.elapsed_s for end in ends),
    )


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
