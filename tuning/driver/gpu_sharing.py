"""How many trials share one GPU where the study leaves it open: as many as its memory holds, by measurement."""

from dataclasses import dataclass, replace
from typing import Any

import ray

from tuning.driver.capacity import TrialResources
from tuning.study.attributes import TRIAL_GPU_MEMORY
from tuning.study.study import Study
from tuning.worker.tasks import gpu_memory, measure_trial_memory

MOST = 8
_SPARE = 0.9


@dataclass(frozen=True)
class GpuMemory:
    """Memory of one trial on a GPU that it had for itself.

    Attributes:
        used: Bytes, the process's own context included.
        total: Bytes of the GPU.
    """

    used: int
    total: int

    def share(self) -> float:
        """The part of a GPU that a trial gets: 1, 1/2 and so on down to 1/8, a tenth of the memory left free."""
        return 1 / max(1, min(MOST, int(_SPARE * self.total // self.used)))


def share_gpus(study: Study, inputs: Any, share: TrialResources) -> TrialResources:
    """Measures a trial where `resources.gpus_per_trial` is auto and trials run on GPUs; once a study and size of GPU.

    Args:
        study: Keeps the figures, so that it has the same packing when it goes on with GPUs of that memory.
        inputs: Ray reference of the `RequestInputs`.
        share: A whole GPU a trial, for `auto`.

    Returns:
        What a trial gets; `share` itself where nothing was to be measured.
    """
    if study.config.resources.gpus_per_trial != "auto" or not share.gpus:
        return share
    memory = study.noted(TRIAL_GPU_MEMORY)
    resources: dict[str, Any] = {"num_cpus": share.cpus, "num_gpus": 1, "max_calls": 1}
    if memory is None or memory[1] != ray.get(ray.remote(**resources)(gpu_memory).remote()):
        memory = ray.get(ray.remote(**resources)(measure_trial_memory).remote(inputs, study.plan.for_workers()))
        study.note(TRIAL_GPU_MEMORY, memory)
    return replace(share, gpus=GpuMemory(*memory).share()) if memory else share
