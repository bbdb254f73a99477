"""A training step as a CUDA graph: recorded once, then repeated without Python.

A ResNet18 at 32 x 32 pixels is some 300 short kernels a step, which a GPU works off faster than Python can ask for
them. A graph asks for all of them at once.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

Step = Callable[[Tensor], Tensor]

_WARM_UP_STEPS = 3  # in their first steps, libraries choose algorithms and allocate workspaces
_KNOWN = ("torch.nn.", "torchvision.models.", "torchvision.ops.", "antisample.")


def can_be_captured(model: nn.Module, loss: Callable[..., Tensor]) -> bool:
    """Whether a step does the same operations whatever the images, without waiting for the GPU.

    That is known of torch's own layers and of the networks and losses here; others say so by an attribute
    `capturable = True`.
    """
    norms = (module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm))
    if any(norm.momentum is None for norm in norms):
        return False  # such a normalisation reads its counter
    parts = [*(type(module) for module in model.modules()), loss]
    ours = all(str(getattr(part, "__module__", "")).startswith(_KNOWN) for part in parts)
    return ours or bool(getattr(model, "capturable", False) and getattr(loss, "capturable", loss is cross_entropy))


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """One for all graphs of a process: libraries keep a workspace for every stream that they ever worked on."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class CudaGraphStep:
    """Repeats a step by a CUDA graph, from the fourth full batch on.

    `step` comes with each call, so that nothing here refers to the trainer and a graph dies with it. What the step
    reads beside its weights stays as it was when the graph was recorded, unless it is a tensor on the GPU, such as a
    learning rate that changes.

    Args:
        batch_size: Images of a full batch; smaller ones are left to the step itself.
        generator: On the GPU; what a step draws from it is drawn anew in every repetition.
    """

    def __init__(self, batch_size: int, generator: torch.Generator) -> None:
        self._batch_size, self._steps_left, self._generator = batch_size, _WARM_UP_STEPS, generator
        self._graph: torch.cuda.CUDAGraph | None = None
        self._positions = self._loss = torch.empty(0)

    def __call__(self, step: Step, positions: Tensor) -> Tensor:
        """Trains on a batch.

        Args:
            step: Trains on the positions of a batch and returns its loss, a scalar. It has to be the same in all
                calls: the same operations on the same tensors, without waiting for the GPU.
            positions: int64 [b], on a GPU.

        Returns:
            The loss, which the next call may overwrite.
        """
        if len(positions) != self._batch_size:
            return step(positions)
        with torch.cuda.device(positions.device):
            if self._steps_left:
                self._steps_left -= 1
                return _beside(step, positions)
            if self._graph is None:
                self._positions, graph = positions.clone(), torch.cuda.CUDAGraph()
                graph.register_generator_state(self._generator)
                with torch.cuda.graph(graph, stream=_stream(positions.device)):
                    self._loss = step(self._positions)
                self._graph = graph
            self._positions.copy_(positions)
            self._graph.replay()
        return self._loss


def _beside(step: Step, positions: Tensor) -> Tensor:
    """A step on the stream that it will be recorded on."""
    stream = _stream(positions.device)
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        loss = step(positions)
    torch.cuda.current_stream().wait_stream(stream)
    return loss
