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
        cpus_per_trial: CPU cores per trial, which is also the number of torch threads.
        gpus_per_trial: GPUs per trial: 0.25 lets four trials share a GPU. `auto` is 0 without a GPU; with one, as
            many trials share it as fit into its memory, at most 8, which is measured before the first trial.
        max_concurrent: Maximum number of concurrent trials; by default as many as the machines can hold.
        checkpoint_every_s: A trial saves its state after an epoch if this many seconds have passed since the last
            save. Finished replicates need no checkpoint, since their reports are in the study.
        halve_batch_on_oom: Whether a trial that runs out of GPU memory restarts its replicate with half the batch
            size, down to 2 images, instead of failing. This changes the optimiser steps; the record of the trial
            says how often it happened.
    """

    cpus_per_trial: int = Field(default=1, ge=1)
    gpus_per_trial: GpuShare = "auto"
    max_concurrent: int | None = Field(default=None, ge=1)
    checkpoint_every_s: float = Field(default=30, ge=0)
    halve_batch_on_oom: bool = False
