"""Stochastic gradient descent as fine-tuning uses it, beside `antisample.training.adam`."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from antisample.training.adam import in_memory_order
from antisample.training.learning_rate import LearningRate


class Sgd:
    """SGD with momentum: step by step what `torch.optim.SGD(fused=True)` does.

    Args:
        parameters: Those that need no gradient are left alone.
        lr: Learning rate, larger than 0.
        momentum: Decay of the sum of gradients, in [0, 1).
        weight_decay: Added to gradients, times the weights; at least 0.

    Attributes:
        rate: Learning rate; see `LearningRate`.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor | nn.Parameter],
        lr: float,
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.rate, self._momentum, self._weight_decay = LearningRate(lr), momentum, weight_decay
        # From 0, the first step is the gradient, as in torch without dampening.
        self._sums = [
            torch.zeros_like(parameter, memory_format=torch.preserve_format) for parameter in self._parameters
        ]

    def zero_grad(self) -> None:
        """Forgets all gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Moves every parameter that has a gradient."""
        used = [
            tuple(in_memory_order(parameter, parameter.grad, total))
            for parameter, total in zip(self._parameters, self._sums, strict=True)
            if parameter.grad is not None
        ]
        if not used:
            return
        parameters, gradients, sums = (list(tensors) for tensors in zip(*used, strict=True))
        sgd(
            parameters,
            gradients,
            list(sums) if self._momentum else [None] * len(parameters),
            fused=True,
            weight_decay=self._weight_decay,
            momentum=self._momentum,
            lr=self.rate.value,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to continue."""
        return {"sums": self._sums}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues where the optimiser of the same parameters was, whose state this is."""
        for own, value in zip(self._sums, state["sums"], strict=True):
            own.copy_(value)
