"""The learning rate of an optimiser, and how it changes from step to step."""

import math
from typing import Literal

import torch
from torch import Tensor

ScheduleName = Literal["constant", "cosine"]


class LearningRate:
    """A learning rate that an optimiser reads at every step.

    Args:
        value: Larger than 0.

    Attributes:
        value: A number, or where steps are recorded as CUDA graphs a scalar on the device, which a recorded step
            reads anew each time.
    """

    def __init__(self, value: float) -> None:
        self.value: float | Tensor = value

    def keep_on(self, device: torch.device) -> None:
        """Moves the rate to a device, so that a recorded step follows it."""
        self.value = torch.as_tensor(self.value, dtype=torch.float32, device=device)

    def set(self, value: float) -> None:
        """Changes the rate, without waiting for the device."""
        if isinstance(self.value, Tensor):
            self.value.fill_(value)
        else:
            self.value = value


class Schedule:
    """The learning rate of every step: a linear warm-up, then constant or half a cosine wave down to 0.

    After Loshchilov & Hutter ("SGDR", ICLR 2017), without restarts.

    Args:
        peak: The learning rate after the warm-up, larger than 0.
        steps: Steps of the whole training, at least 1.
        name: What comes after the warm-up.
        warmup: Share of the steps in which the rate rises to its peak, in [0, 1).
    """

    def __init__(self, peak: float, steps: int, name: ScheduleName = "constant", warmup: float = 0.0) -> None:
        self._peak, self._steps, self._name = peak, steps, name
        self._rising = round(warmup * steps)

    @property
    def is_constant(self) -> bool:
        """Whether the rate is the same at every step."""
        return self._name == "constant" and self._rising == 0

    def rate(self, step: int) -> float:
        """The learning rate of a step.

        Args:
            step: Counted from 0.
        """
        if step < self._rising:
            return self._peak * (step + 1) / (self._rising + 1)
        if self._name == "constant":
            return self._peak
        progress = (step - self._rising) / max(1, self._steps - self._rising)
        return self._peak * (1 + math.cos(math.pi * progress)) / 2
