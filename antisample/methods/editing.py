"""What methods have in common that change the last layer at once, instead of training."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from antisample.data.loader import to_device
from antisample.methods.base import UnlearnContext
from antisample.models.head import Head, evaluating, head_weights
from antisample.models.masked_outputs import NEVER, masked_outputs
from antisample.types import IndexArray

_EXAMPLES = 8
_BATCH_SIZE = 500


class EditedRun:
    """A network that was changed at once: a run of no epochs.

    Args:
        model: As it shall be.
    """

    epochs = epochs_done = 0

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def run_epoch(self) -> float:
        """There is none.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError("A run of 0 epochs has none to do.")

    def state_dict(self) -> dict[str, Any]:
        """See `UnlearningRun.state_dict`."""
        return {"epochs_done": 0, "model": self.model.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `UnlearningRun.load_state_dict`."""
        self.model.load_state_dict(state["model"])


def example_images(context: UnlearnContext) -> Tensor:
    """A few retain images as the model takes them, on the device: what a head is found with."""
    retain = context.splits.retain
    positions = retain[np.linspace(0, len(retain) - 1, min(_EXAMPLES, len(retain))).astype(np.int64)]
    return next(batches_at(context, positions))


def batches_at(context: UnlearnContext, positions: IndexArray) -> Iterator[Tensor]:
    """Training images at these positions as the model takes them, a batch at a time, on the device."""
    normalise = context.normaliser()
    for start in range(0, len(positions), _BATCH_SIZE):
        images, _ = to_device(context.dataset.train, positions[start : start + _BATCH_SIZE], context.device)
        yield normalise(images)


def without_classes(model: nn.Module, head: Head | None, classes: Sequence[int], images: Tensor) -> nn.Module:
    """Makes classes impossible to answer, by the head where that is the same as a mask, else by an output module.

    Args:
        model: Changed in place.
        head: Of the model, if it has one.
        classes: Labels to mask.
        images: A few, normalised, on which the head has to answer as a mask does.

    Returns:
        The model, or one around it.
    """
    rows = list(classes)
    with evaluating(model):
        expected = model(images.clone())
        n_classes = expected.shape[1]
        weight, bias = head_weights(head.layer(model)) if head is not None else (None, None)
        if head is None or not head.is_output or head.is_shared or weight is None or bias is None:
            return masked_outputs(model, classes, n_classes)
        before = weight[rows].clone(), bias[rows].clone()
        expected[:, rows] = NEVER
        weight[rows], bias[rows] = 0.0, NEVER
        if torch.allclose(model(images.clone()), expected, rtol=1e-4, atol=1e-4):
            return model
        weight[rows], bias[rows] = before  # what comes behind the head shows only now
    return masked_outputs(model, classes, n_classes)
