"""Classifiers by name. Adding one is a file in `networks` beside this one and a line in `_BUILDERS`."""

import hashlib
import importlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from antisample.errors import ConfigError, in_one_line
from antisample.models.custom.builder_call import builder_call
from antisample.models.custom.lazy_layers import is_lazy, materialise
from antisample.models.custom.outputs import take_logits
from antisample.models.in_memory import is_in_memory
from antisample.models.kernels.arrange import optimised_for
from antisample.models.kernels.fused_conv import optimise_for
from antisample.models.networks.allcnn import AllCNN
from antisample.models.networks.resnet9 import ResNet9
from antisample.models.networks.small_cnn import SmallCNN
from antisample.models.networks.torchvision_nets import mobilenet_v2, resnet18
from antisample.validation.settings import shown
from antisample.validation.spelling import did_you_mean

ModelBuilder = Callable[..., nn.Module]

_BUILDERS: dict[str, ModelBuilder] = {
    "SmallCNN": SmallCNN,
    "ResNet9": ResNet9,
    "AllCNN": AllCNN,
    "ResNet18": resnet18,
    "MobileNet_v2": mobilenet_v2,
}


def model_names() -> tuple[str, ...]:
    """The registered names."""
    return tuple(_BUILDERS)


def check_name(name: str) -> None:
    """Checks the form of a model's name; nothing is imported, so that a study can be looked at without.

    Args:
        name: See `find_builder`.

    Raises:
        ConfigError: If it is neither registered nor of the form `package.module:function`.
    """
    is_known = is_in_memory(name) or _registered(name) is not None
    if not is_known and not re.fullmatch(r"\w+(\.\w+)*:\w+", name):
        raise ConfigError(
            f"`model.name` must be one of {', '.join(_BUILDERS)} or `package.module:function`, but got {shown(name)}."
            f"{did_you_mean(name, _BUILDERS)}"
        )


def find_builder(name: str) -> ModelBuilder:
    """Finds a builder by registered name (any case) or import path, which is imported.

    Args:
        name: A name of `model_names()`, or `package.module:function`, a callable that returns the network; see
            `builder_call` for what it is given.

    Returns:
        The builder.

    Raises:
        ConfigError: If there is no such name, module or function.
    """
    registered = _registered(name)
    if registered is not None:
        return registered
    check_name(name)
    if is_in_memory(name):
        raise ConfigError(
            "The model was an object in memory, which no name builds again: use `tuning.search` or "
            "`antisample.forget` with the same objects."
        )
    module_name, _, attribute = name.partition(":")
    try:
        with redirect_stdout(sys.stderr):
            builder = getattr(importlib.import_module(module_name), attribute)
    except (Exception, SystemExit) as error:  # whatever a module of the user's may raise
        reason = in_one_line(error).removeprefix(f"{type(error).__name__}: ")
        raise ConfigError(f"`model.name` {name!r} cannot be imported: {reason}.") from error
    if isinstance(builder, nn.Module):
        raise ConfigError(
            f"`model.name` {name!r} must be a function or class that builds a new network each time, but is a "
            f"network of type {type(builder).__name__}."
        )
    if not callable(builder):
        raise ConfigError(f"`model.name` {name!r} must be a function or class, but is a {type(builder).__name__}.")
    return cast(ModelBuilder, builder)


def _registered(name: str) -> ModelBuilder | None:
    """The builder of a registered name, in any case; None if there is none."""
    return {registered.lower(): builder for registered, builder in _BUILDERS.items()}.get(name.lower())


def build_model(
    name: str,
    n_classes: int,
    in_channels: int,
    arguments: Mapping[str, Any] | None = None,
    image_size: Sequence[int] | None = None,
) -> nn.Module:
    """Builds a classifier with fresh weights from torch's global random state.

    Args:
        name: See `find_builder`.
        n_classes: Number of outputs, at least 1.
        in_channels: 1 for grey images, 3 for colour.
        arguments: What else the builder gets, by name; see `builder_call`.
        image_size: Height and width of the images, in pixels, which lazy layers get their shapes from; without it
            they stay lazy.

    Returns:
        A network that maps float images [n, in_channels, h, w] to logits [n, n_classes]; of several outputs of a
        network of the user's own it gives what `logits_of` takes. State dictionaries are the network's own.

    Raises:
        ConfigError: If there is no such model, the builder cannot be called so, raised, or returned something else.
    """
    builder = find_builder(name)
    call = builder_call(builder, name, n_classes, in_channels, arguments or {})
    try:
        with redirect_stdout(sys.stderr):  # where results are printed, nothing else is
            model = call(builder)
    except torch.OutOfMemoryError:  # says nothing about the builder
        raise
    except (Exception, SystemExit) as error:  # whatever a builder of the user's may raise
        raise ConfigError(
            f"`model.name` {name!r} cannot be built: {in_one_line(error)} (called as {call})."
        ) from error
    if not isinstance(model, nn.Module):
        raise ConfigError(f"`model.name` {name!r} must build a torch.nn.Module, but got {type(model).__name__}.")
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise ConfigError(
            f"`model.name` {name!r} builds a TorchScript module, which cannot be trained here; build the Python "
            "module that it was made from."
        )
    if ":" in name:
        model.register_forward_hook(take_logits)
    if image_size is not None and is_lazy(model):
        materialise(model, name, (in_channels, *image_size))
    return model


def describe_call(name: str, n_classes: int, in_channels: int, arguments: Mapping[str, Any] | None = None) -> str:
    """How `build_model` calls a builder, as code: `my.models:AllCNN(n_channels=3, num_classes=10)`.

    Raises:
        ConfigError: As `build_model`; nothing is built.
    """
    return str(builder_call(find_builder(name), name, n_classes, in_channels, arguments or {}))


def code_digest(name: str) -> str | None:
    """Digest of the code behind a network of the user's own, which may change while names and shapes stay.

    It covers the file of the named module and the one that the builder is defined in, not what they import.

    Args:
        name: See `find_builder`.

    Returns:
        Hexadecimal; None for a registered name, whose version is that of this package.

    Raises:
        ConfigError: If there is no such builder.
    """
    if ":" not in name:
        return None
    builder: Any = find_builder(name)
    while isinstance(builder, partial):
        builder = builder.func
    digest = hashlib.blake2b(digest_size=16)
    for module_name in dict.fromkeys((name.partition(":")[0], getattr(builder, "__module__", ""))):
        file = getattr(sys.modules.get(module_name), "__file__", None)
        digest.update(Path(file).read_bytes() if file is not None and Path(file).is_file() else b"")
    return digest.hexdigest()


__all__ = [
    "ModelBuilder",
    "optimised_for",
    "build_model",
    "check_name",
    "code_digest",
    "describe_call",
    "find_builder",
    "model_names",
    "optimise_for",
]
