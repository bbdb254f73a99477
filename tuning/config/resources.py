"""Configuration: what one trial gets."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from antisample.validation.settings import Settings


def _fraction_or_whole(gpus: float | Literal["auto"]) -> float | Literal["auto"]:
    if gpus != "auto" and (gpus < 0 or (gpus > 1 and not float(gpus).is_integer())):
        raise ValueError(f"must be in [0, 1] or a whole number, but got {gpus}")
    return gpus


GpuShare = Annotated[float | Literal["auto"], AfterValidator(_fraction_or_whole)]
"""GPUs of a worker: 0.25 packs four on one GPU, which share its memory. `auto` is 0 without a GPU; with one, as many
trials share it as its memory holds, at most 8, which a study measures before its first trial."""


class ResourceConfig(Settings):
    """What one trial gets.

    Attributes:
        cpus_per_trial: Cores, also the number of threads of torch.
        gpus_per_trial: See `GpuShare`.
        max_concurrent: Trials at once; by default as many as the machines hold.
        checkpoint_every_s: A trial saves its state after an epoch if this many seconds have passed since it did last.
            Whole replicates need no saving: their reports are in the study.
        halve_batch_on_oom: Whether a trial that runs out of GPU memory begins its replicate again with half the
            batch, down to 2 images, instead of failing. Its record says how often; it is another optimiser step then.
    """

    cpus_per_trial: int = Field(default=1, ge=1)
    gpus_per_trial: GpuShare = "auto"
    max_concurrent: int | None = Field(default=None, ge=1)
    checkpoint_every_s: float = Field(default=30, ge=0)
    halve_batch_on_oom: bool = False
