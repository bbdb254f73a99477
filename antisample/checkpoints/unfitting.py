"""Whether weights fit a network, and why they do not, in words."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from antisample.checkpoints.weight_names import Match
from antisample.errors import DataError

_SHOWN = 3


def refusal(
    model: nn.Module, own: Mapping[str, Tensor], weights: Mapping[str, Tensor], match: Match, source: str
) -> str:
    """Explains why a checkpoint is not of a network.

    Args:
        model: The network.
        own: Its tensors.
        weights: Those of the checkpoint.
        match: Which name belongs to which.
        source: Where the checkpoint comes from.

    Returns:
        A message that shows names of the checkpoint and what is missing, or tells classes or channels that differ.
    """
    other = {name: weights[given] for name, given in match.given.items() if weights[given].shape != own[name].shape}
    shapes = [
        f"has {match.given[name]!r} of shape {list(tensor.shape)} where the model has {list(own[name].shape)}"
        for name, tensor in other.items()
    ]
    if not match.missing and not match.unknown:
        reason = _other_numbers(model, own, other)
        if reason:
            return f"{source}: the checkpoint is {reason}: it {'; it '.join(shapes[:_SHOWN])}."
    problems = []
    if match.missing:
        problems.append(f"lacks {_names(match.missing)}")
    if match.unknown:
        problems.append(f"has {_names(match.unknown)}, which the model lacks")
    problems += shapes[:_SHOWN]
    if len(shapes) > _SHOWN:
        problems.append(f"has {len(shapes) - _SHOWN} more of other shapes")
    removed = f" (after `{''.join(match.removed)}` was removed from its names)" if match.removed else ""
    if match.missing and not match.unknown:
        problems.append(f"begins with {_names(list(weights))}")
    return (
        f"{source}: the checkpoint has a different architecture from {type(model).__name__}{removed}: "
        f"it {'; it '.join(problems)}."
    )


def check_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Checks shapes, types and values of tensors that have the network's names.

    Raises:
        DataError: If some do not fit.
    """
    own = model.state_dict()
    if any(own[name].shape != tensor.shape for name, tensor in weights.items()):
        raise DataError(refusal(model, own, weights, Match({name: name for name in own}), source))
    parameters = {name for name, _ in model.named_parameters()}
    for name, tensor in weights.items():
        if own[name].is_floating_point() and not tensor.is_floating_point():
            here = type_name(own[name])
            quantised = "" if tensor.is_complex() else ", so its weights may be quantised"
            raise DataError(
                f"{source}: has {name!r} as {type_name(tensor)} where the model has {here}{quantised}; "
                "save the weights of the network as it was trained, in float32."
            )
        if tensor.is_floating_point():
            values = tensor.detach().float()
            if bool(values.isnan().any()) or (name in parameters and not bool(values.isfinite().all())):
                raise DataError(f"{source}: has values in {name!r} that are not finite.")


def type_name(tensor: Tensor) -> str:
    """The type of a tensor's values, such as `float32`."""
    return str(tensor.dtype).removeprefix("torch.")


def _other_numbers(model: nn.Module, own: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> str:
    """Says that the number of classes or of channels differs, if that is all; else nothing."""
    layers = [name for name, tensor in model.named_parameters() if tensor.dim() > 1]
    first, last = (layers[0], layers[-1]) if layers else ("", "")
    head = {last, f"{last.removesuffix('weight')}bias"}
    reasons, explained = [], set()
    if last in other and other[last].shape[1:] == own[last].shape[1:]:
        reasons.append(f"for {len(other[last])} classes, but the network here is for {len(own[last])}")
        explained |= head
    if first in other and first not in explained and other[first].dim() == own[first].dim() == 4:
        channels, here = other[first].shape[1], own[first].shape[1]
        if channels != here and other[first].shape[0] == own[first].shape[0]:
            reasons.append(f"for images of {_channels(channels)}, but the network here is for {_channels(here)}")
            explained.add(first)
    return ", and ".join(reasons) if set(other) <= explained else ""


def _channels(number: int) -> str:
    return {1: "1 channel (grey)", 3: "3 channels (colour)"}.get(number, f"{number} channels")


def _names(names: Sequence[str]) -> str:
    listed = ", ".join(map(repr, names[:_SHOWN]))
    return f"{listed} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else listed
