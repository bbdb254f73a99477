"""Adam as fine-tuning uses it, ready at once.

`torch.optim.Adam` imports the compiler of torch when the first one is made: 4 seconds of every worker and command.
The arithmetic here is torch's own, through its functional interface.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from antisample.training.learning_rate import LearningRate


class Adam:
    """Adam (Kingma & Ba, 2015): step by step what `torch.optim.Adam(fused=True)` and `AdamW` do.

    Args:
        parameters: Those that need no gradient are left alone.
        lr: Learning rate, larger than 0.
        betas: Decay of the means of gradients and of their squares, in [0, 1).
        eps: Added to the root of the mean square.
        weight_decay: At least 0.
        decoupled: Whether weights decay by themselves, as in AdamW (Loshchilov & Hutter, ICLR 2019), and not by an
            addition to their gradients.

    Attributes:
        rate: Learning rate; see `LearningRate`.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor | nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        *,
        weight_decay: float = 0.0,
        decoupled: bool = False,
    ) -> None:
        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.rate, self._betas, self._eps = LearningRate(lr), betas, eps
        self._weight_decay, self._decoupled = weight_decay, decoupled
        self._means, self._squares = (
            [torch.zeros_like(parameter, memory_format=torch.preserve_format) for parameter in self._parameters]
            for _ in range(2)
        )
        self._steps = [torch.zeros((), device=parameter.device) for parameter in self._parameters]

    def zero_grad(self) -> None:
        """Forgets all gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Moves every parameter that has a gradient."""
        used = [
            (*in_memory_order(parameter, parameter.grad, mean, square), step)
            for parameter, mean, square, step in zip(
                self._parameters, self._means, self._squares, self._steps, strict=True
            )
            if parameter.grad is not None
        ]
        if not used:
            return
        parameters, gradients, means, squares, steps = (list(tensors) for tensors in zip(*used, strict=True))
        adam(
            parameters,
            gradients,
            means,
            squares,
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=self.rate.value,
            weight_decay=self._weight_decay,
            decoupled_weight_decay=self._decoupled,
            eps=self._eps,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to continue."""
        return {"means": self._means, "squares": self._squares, "steps": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues where the optimiser of the same parameters was, whose state this is."""
        for own, kept in (
            (self._means, state["means"]),
            (self._squares, state["squares"]),
            (self._steps, state["steps"]),
        ):
            for mine, value in zip(own, kept, strict=True):
                mine.copy_(value)


def in_memory_order(parameter: Tensor, *others: Tensor) -> list[Tensor]:
    """The same numbers, of channels-last weights as they lie: torch copies gradients that are not contiguous."""
    if parameter.dim() == 4 and parameter.is_contiguous(memory_format=torch.channels_last):
        return [tensor.permute(0, 2, 3, 1) for tensor in (parameter, *others)]
    return [parameter, *others]
