"""What a network consists of: which of it is trained, whether it can be saved, and whether it stays what it is."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from antisample.errors import in_one_line

Contents = Mapping[str, object]
"""Shapes by name; of what is no tensor, the name of its type."""


def contents(model: nn.Module) -> Contents:
    """What the state of a network consists of."""
    return {key: _described(value) for key, value in model.state_dict().items()}


def buffer_shapes(model: nn.Module) -> Contents:
    """Shapes of all buffers, those included that are not saved."""
    return {key: list(value.shape) for key, value in model.named_buffers()}


def weights_problem(model: nn.Module) -> str | None:
    """Why a network as it was built cannot be trained and saved, as a predicate; None if it can."""
    parameters = list(model.parameters())
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if not parameters:
        return "has no parameters, so there is nothing to train"
    if not trained:
        return "only has frozen parameters (`requires_grad=False`), so there is nothing to train"
    if any(parameter.is_complex() for parameter in trained):
        return "has complex weights, which the optimisers here do not train"
    return _state_problem(model)


def _state_problem(model: nn.Module) -> str | None:
    try:
        state = dict(model.state_dict())
    except Exception as error:  # whatever a network of the user's may raise
        return f"cannot be saved: {in_one_line(error)}"
    for key, value in state.items():
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            return f"keeps {key!r} in its state, of type {kind}, but a weights file can only hold tensors"
        if value.is_meta:
            return f"has a weight on the meta device, {key!r}, which has no values"
    return None


def difference_of_builds(first: nn.Module, second: nn.Module) -> str | None:
    """How two networks of one builder are not two of the same, as a predicate; None if they are."""
    shared = shared_weights(first, second)
    if any(key in shared for key, parameter in _named(first) if parameter.requires_grad):
        return "returns the same weights each time it is called, but must build a network with its own weights"
    before, after = contents(first), contents(second)
    for key in (*before, *after):
        if before.get(key) != after.get(key):
            here, there = (f"{side[key]}" if key in side else "missing" for side in (before, after))
            return (
                f"builds a different network each time it is called: {key!r} is {here} in one and {there} in the next"
            )
    return None


def shared_weights(first: nn.Module, second: nn.Module) -> dict[str, Tensor]:
    """Copies of the tensors that are the same memory in both networks, by name, on the CPU."""
    theirs = {_place(value) for _, value in _tensors(second)}
    return {
        key: value.detach().cpu().clone()
        for key, value in _tensors(first)
        if value.numel() and not value.is_meta and _place(value) in theirs
    }


def difference_in_use(before: Contents, after: Contents) -> str | None:
    """How the state of a network is no longer the same after use, as a predicate; None if it is."""
    for key in (*before, *after):
        if key not in after:
            return f"changes its structure while it is used: {key!r} is gone"
        if key not in before:
            return f"changes its structure while it is used: {key!r} is new"
        if before[key] != after[key]:
            return f"changes the shape of {key!r} while it is used, from {before[key]} to {after[key]}"
    return None


def network_notes(model: nn.Module, probabilities: bool) -> tuple[str, ...]:
    """What people should know about a network that can be used.

    Args:
        model: The network, after a backward pass.
        probabilities: Whether what it gives looks like probabilities.

    Returns:
        Whole sentences.
    """
    parameters = list(model.parameters())
    frozen = sum(not parameter.requires_grad for parameter in parameters)
    notes = []
    if frozen:
        notes.append(
            f"{frozen} of the network's {len(parameters)} parameter tensors are frozen and will not be changed."
        )
    untouched = [key for key, p in model.named_parameters() if p.requires_grad and p.grad is None]
    if untouched:
        notes.append(
            f"{len(untouched)} of the network's {len(parameters)} parameter tensors get no gradient and stay as they "
            f"are, such as {untouched[0]!r}."
        )
    if probabilities:
        notes.append(
            "The network seems to return probabilities, but its outputs are treated as logits; remove its softmax."
        )
    return tuple(notes)


def _described(value: object) -> object:
    return list(value.shape) if isinstance(value, Tensor) else type(value).__name__


def _named(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return list(model.named_parameters(remove_duplicate=False))


def _tensors(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [(key, value) for key, value in model.state_dict().items() if isinstance(value, Tensor)]


def _place(tensor: Tensor) -> tuple[torch.device, int]:
    return tensor.device, tensor.untyped_storage().data_ptr()
