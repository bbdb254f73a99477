"""How many trials share one GPU where the study leaves it open: as many as its memory holds, by measurement."""

from dataclasses import dataclass, replace
from typing import Any

import ray
import torch

from antisample.errors import AntisampleError
from antisample.unlearning import unlearn
from tuning.config.study import StudyConfig
from tuning.driver.capacity import TrialResources
from tuning.study.study import Study
from tuning.worker.inputs import RequestInputs

MOST = 8
_SPARE = 0.9
_NOTE = "trial_gpu_memory"


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
    known = study.noted(_NOTE)
    resources: dict[str, Any] = {"num_cpus": share.cpus, "num_gpus": 1, "max_calls": 1}
    if known is None or known[1] != ray.get(ray.remote(**resources)(_total).remote()):
        known = ray.get(ray.remote(**resources)(_measure).remote(inputs, study.config.for_workers()))
        study.note(_NOTE, known)
    return replace(share, gpus=GpuMemory(*known).share()) if known else share


def _total() -> int | None:
    """Bytes of the GPU; None without one."""
    return torch.cuda.mem_get_info()[1] if torch.cuda.is_available() else None


def _measure(inputs: RequestInputs, study: StudyConfig) -> list[int] | None:
    """Memory of the first trial's first epoch with its evaluation: used and total bytes; None without a GPU."""
    if not torch.cuda.is_available():
        return None
    try:
        next(unlearn(study.starting_config(), inputs[0]))
    except (AntisampleError, torch.cuda.OutOfMemoryError):
        return None
    free, total = torch.cuda.mem_get_info()
    # What the driver says is in use is the peak: torch keeps what it once had.
    return [total - free, total]
