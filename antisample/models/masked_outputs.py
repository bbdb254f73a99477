"""An output module that keeps a network from ever answering some of its classes."""

import json
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

NEVER = -1e4
"""Logit of a class that cannot be answered: finite in every precision, and its softmax is exactly 0."""

MASK_KEY = "masked_classes"
"""Of the mask in a state dictionary, and of the labels in the metadata of its file."""

_PREFIX = "network."


def largest_logit(logits: Tensor) -> float:
    """The largest magnitude among logits of classes that can be answered: what differences are a share of."""
    answerable = logits[logits > NEVER / 2]
    return float(answerable.abs().max()) if answerable.numel() else 0.0


class MaskedOutputs(nn.Module):
    """A network some of whose classes can no longer be answered; all its other logits stay as they are.

    Its state dictionary holds `masked_classes` beside the network's own weights, whose names begin with `network.`:
    weights that were saved with it do not fit the bare network, so it cannot get lost on the way.

    Args:
        network: Maps images to logits [n, classes].
        classes: Labels that are masked.
        n_classes: Number of logits.
    """

    masked_classes: Tensor

    def __init__(self, network: nn.Module, classes: Sequence[int], n_classes: int) -> None:
        super().__init__()
        self.network = network
        masked = torch.zeros(n_classes, dtype=torch.bool)
        masked[list(classes)] = True
        self.register_buffer(MASK_KEY, masked)

    @property
    def classes(self) -> tuple[int, ...]:
        """Labels that are masked, ascending."""
        return tuple(self.masked_classes.nonzero().flatten().tolist())

    def forward(self, images: Tensor) -> Tensor:
        """Maps images to logits [n, classes]; those of masked classes are `NEVER`."""
        logits: Tensor = self.network(images)
        return logits.masked_fill(self.masked_classes, NEVER)


def masked_outputs(model: nn.Module, classes: Sequence[int], n_classes: int) -> MaskedOutputs:
    """Masks classes of a network; those of one whose outputs are masked already are added to its own.

    Args:
        model: Maps images to logits [n, n_classes].
        classes: Labels to mask.
        n_classes: Number of logits.

    Returns:
        The masked network, on the device of the model, in its mode.
    """
    network, before = (model.network, model.classes) if isinstance(model, MaskedOutputs) else (model, ())
    masked = MaskedOutputs(network, sorted({*before, *classes}), n_classes)
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    return masked.to(device).train(model.training)


def bare_network(model: nn.Module) -> nn.Module:
    """The network without its mask: its modules have the names that its builder gives them."""
    return model.network if isinstance(model, MaskedOutputs) else model


def is_masked(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether weights were saved from a network with masked outputs."""
    mask = state_dict.get(MASK_KEY)
    return (
        mask is not None
        and mask.dtype is torch.bool
        and mask.dim() == 1
        and all(name.startswith(_PREFIX) for name in state_dict if name != MASK_KEY)
    )


def masked_classes(state_dict: Mapping[str, Tensor]) -> list[int]:
    """Labels that weights say are masked, ascending; none where they were not saved from masked outputs."""
    return state_dict[MASK_KEY].nonzero().flatten().tolist() if is_masked(state_dict) else []


def with_outputs_of(model: nn.Module, state_dict: Mapping[str, Tensor]) -> nn.Module:
    """Gives a bare network the output module that weights were saved with, if there was one.

    Every place that builds a network to load an unlearned model into calls it first; `load_state_dict` then restores
    which classes are masked.

    Args:
        model: The network as its builder gives it.
        state_dict: The weights that will be loaded.
    """
    return MaskedOutputs(model, (), len(state_dict[MASK_KEY])) if is_masked(state_dict) else model


def outputs_metadata(model: nn.Module) -> dict[str, str]:
    """What a file of a model's weights says of its outputs: `masked_classes`, labels as JSON, where there are any."""
    return {MASK_KEY: json.dumps(model.classes)} if isinstance(model, MaskedOutputs) else {}
