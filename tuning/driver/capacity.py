"""What one worker takes: cores, GPUs, and how many workers therefore run at once."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from antisample.device import choose_device
from antisample.errors import ConfigError
from tuning.config.resources import GpuShare


@dataclass(frozen=True)
class Machine:
    """What one machine offers to trials.

    Attributes:
        cpus: Cores.
        gpus: GPUs.
    """

    cpus: float
    gpus: float


def this_machine() -> Machine:
    """The cores that this process may use, and the GPUs that torch sees."""
    return Machine(len(os.sched_getaffinity(0)), torch.cuda.device_count())


@dataclass(frozen=True)
class TrialResources:
    """What Ray sets apart for one trial or job.

    Attributes:
        cpus: Cores, also threads of torch.
        gpus: GPUs or a fraction of one.
    """

    cpus: int
    gpus: float

    @classmethod
    def of(
        cls,
        machines: Sequence[Machine],
        cpus: int,
        gpus: GpuShare,
        device: str,
        cpus_key: str,
        gpus_key: str,
        whose: str | None = None,
    ) -> "TrialResources":
        """Checks that a worker fits on one of these machines; Ray would wait for ever for what is not there.

        Args:
            machines: Where workers may run; at least one.
            cpus: Cores of one worker.
            gpus: GPUs of one worker.
            device: See `UnlearnConfig.device`.
            cpus_key: Where the user sets `cpus`.
            gpus_key: Where the user sets `gpus`.
            whose: Names the machine that has most in messages; by default this one, or the largest of several.

        Raises:
            ConfigError: With every problem found.
        """
        if device.startswith("cuda:") and device != "cuda:0":
            raise ConfigError([f"`device` must not be numbered, since Ray assigns the GPUs, but got {device!r}."])
        most = max(machine.gpus for machine in machines)
        if device.startswith("cuda") and not most:
            if whose is None:
                choose_device(device)  # says what is wrong
            else:
                raise ConfigError(f"`device` is {device!r}, but {whose} has no GPUs.")
        on_gpu = device != "cpu" and most > 0
        share = cls(cpus, float(on_gpu) if gpus == "auto" else float(gpus))
        limits = [
            (cpus_key, share.cpus, max(machine.cpus for machine in machines), "cores"),
            (gpus_key, share.gpus, most, "GPUs"),
        ]
        whose = whose or ("this machine" if len(machines) == 1 else "the largest machine")
        problems = [
            f"`{key}` must be at most {there:g}, the number of {what} of {whose}, but got {wanted:g}."
            for key, wanted, there, what in limits
            if wanted > there
        ]
        if on_gpu and share.gpus == 0:
            problems.append(f"`{gpus_key}` must be above 0 where `device` is a GPU, but got 0.")
        if not problems and not share.slots(machines):
            problems.append(f"No machine has the cores of `{cpus_key}` and the GPUs of `{gpus_key}` together.")
        if problems:
            raise ConfigError(problems)
        return share

    def slots(self, machines: Sequence[Machine]) -> int:
        """How many workers these machines hold at once, 0 or more."""
        return sum(self._slots(machine) for machine in machines)

    def _slots(self, machine: Machine) -> int:
        by_cpus = int(machine.cpus // self.cpus)
        return min(by_cpus, int(machine.gpus / self.gpus)) if self.gpus else by_cpus
