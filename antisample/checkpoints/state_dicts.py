"""Which part of a torch file is the weights: frameworks keep them under a name, beside other things."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from antisample.errors import DataError

_NAMES = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params", "module")
_AVERAGES = (
    "model_ema",
    "state_dict_ema",
    "ema_state_dict",
    "ema",
    "ema_model",
    "model_ema_state_dict",
    "params_ema",
)


@dataclass(frozen=True)
class _Weights:
    """Tensors by name, the entry that holds them, and sentences about what was chosen."""

    state_dict: dict[str, Tensor]
    entry: str = ""
    notes: tuple[str, ...] = ()


def find_state_dict(content: Any, source: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Finds the weights in what a torch file holds.

    Args:
        content: A state dict, or a dictionary that holds one, perhaps several levels down. Where a model and its
            average are there, the model is taken.
        source: Where it comes from, for the message.

    Returns:
        Tensors by name, and sentences about what was taken and what was left.

    Raises:
        DataError: If there are no weights, or nothing says which of several are meant.
    """
    weights = _weights(content, source) if isinstance(content, Mapping) else None
    if weights is None:
        raise DataError(
            f"{source}: holds no state dict, but {_described(content)}; expected tensors by name, or a dictionary "
            "with `state_dict`."
        )
    return weights.state_dict, weights.notes


def _weights(content: Mapping[Any, Any], source: str) -> _Weights | None:
    named = {name: value for name, value in content.items() if isinstance(name, str)}
    tensors = {name: value for name, value in named.items() if isinstance(value, Tensor)}
    are_weights = any(tensor.dim() for tensor in tensors.values())  # not a loss or an accuracy that was measured
    if len(tensors) == len(content):
        return _Weights(tensors) if are_weights else None
    inner = {
        name: weights
        for name, value in named.items()
        if isinstance(value, Mapping) and (weights := _weights(value, source)) is not None
    }
    if inner:
        return _chosen(inner, source)
    if not are_weights:
        return None
    left = [str(name) for name in content if name not in tensors]
    rest = "was ignored, since it is not a tensor" if len(left) == 1 else "were ignored, since they are not tensors"
    return _Weights(tensors, notes=(f"Of the checkpoint, {_quoted(left)} {rest}.",))


def _chosen(inner: dict[str, _Weights], source: str) -> _Weights:
    """One of several entries that hold weights."""
    usual = [name for name in (*_NAMES, *_AVERAGES) if name in inner]
    if not usual and len(inner) > 1:
        usual = [name for name in inner if "ema" not in name.lower()]
        if len(usual) != 1:
            raise DataError(
                f"{source}: several entries hold weights, {_quoted(list(inner))}; save the intended weights with "
                "`torch.save(state_dict, path)`."
            )
    name = (usual or list(inner))[0]
    weights = inner[name]
    entry = f"{name}.{weights.entry}" if weights.entry else name
    others = [other for other in inner if other != name]
    more = f" {_quoted(others)} {'holds' if len(others) == 1 else 'hold'} weights, too, which were not used."
    taken = f"Of the checkpoint's entries, `{entry}` was used.{more if others else ''}"
    notes = [note for note in weights.notes if not note.startswith("Of the checkpoint's entries")]
    return _Weights(weights.state_dict, entry, (taken, *notes))


def check_tensors(state_dict: Mapping[str, Tensor], source: str) -> None:
    """Raises DataError if tensors are of a kind whose values a network cannot take."""
    for name, tensor in state_dict.items():
        kind, way_out = None, "save the weights of the network as it was trained, in float32"
        if tensor.is_quantized:
            kind = f"quantised ({_named(tensor.dtype)})"
        elif tensor.layout != torch.strided:
            kind, way_out = f"sparse ({_named(tensor.layout)})", "save them with `tensor.to_dense()`"
        elif tensor.is_meta:
            kind, way_out = "without values, on the device `meta`", "save them from the device they were trained on"
        elif tensor.is_nested:
            kind = "nested"
        if kind is not None:
            raise DataError(f"{source}: holds tensors that are {kind}, such as {name!r}; {way_out}.")


def _described(content: Any) -> str:
    if isinstance(content, Tensor):
        return f"a single tensor of shape {list(content.shape)}"
    if isinstance(content, Mapping):
        if "param_groups" in content:
            return "the state of an optimiser"
        entries = [f"{str(name)!r} ({type(value).__name__})" for name, value in list(content.items())[:5]]
        return f"the entries {', '.join(entries)}{' and more' if len(content) > 5 else ''}" if entries else "nothing"
    if isinstance(content, list | tuple):
        return f"a list of {len(content)}"
    return f"an object of type {type(content).__name__}"


def _quoted(names: list[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in names[:3])
    return f"{listed} and {len(names) - 3} more" if len(names) > 3 else listed


def _named(kind: Any) -> str:
    return str(kind).removeprefix("torch.")
