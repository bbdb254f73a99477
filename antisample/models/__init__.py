"""Classifiers by name. Adding one is a file beside this one and a line in `_BUILDERS`."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

from torch import nn

from antisample.errors import ConfigError
from antisample.models.allcnn import AllCNN
from antisample.models.arranged import arranged
from antisample.models.optimised import optimise_for
from antisample.models.resnet9 import ResNet9
from antisample.models.small_cnn import SmallCNN
from antisample.models.torchvision_nets import mobilenet_v2, resnet18

ModelBuilder = Callable[..., nn.Module]

_CLASSES, _CHANNELS = ("n_classes", "num_classes"), ("in_channels", "n_channels", "channels")

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


def find_builder(name: str) -> ModelBuilder:
    """Finds a builder by registered name (any case) or import path.

    Args:
        name: A name of `model_names()`, or `package.module:function`, a callable that returns the network; see
            `build_model` for what it is given.

    Returns:
        The builder.

    Raises:
        ConfigError: If there is no such name, module or function.
    """
    if ":" in name:
        module_name, _, attribute = name.partition(":")
        try:
            builder = getattr(importlib.import_module(module_name), attribute)
        except Exception as error:  # whatever a module of the user's may raise
            raise ConfigError(f"`model.name` {name!r} cannot be imported: {error}.") from error
        if not callable(builder):
            raise ConfigError(
                f"`model.name` {name!r} must be a function or class, but is a {type(builder).__name__}."
            )
        return cast(ModelBuilder, builder)
    by_lower_name = {known.lower(): builder for known, builder in _BUILDERS.items()}
    if name.lower() not in by_lower_name:
        raise ConfigError(
            f"`model.name` must be one of {', '.join(_BUILDERS)} or `package.module:function`, but got {name!r}."
        )
    return by_lower_name[name.lower()]


def build_model(name: str, n_classes: int, in_channels: int) -> nn.Module:
    """Builds a classifier with fresh weights from torch's global random state.

    A builder gets the number of classes and of input channels, in this order; one that does not take two numbers gets
    those that it asks for by name, as `n_classes` or `num_classes` and `in_channels`, `n_channels` or `channels`.

    Args:
        name: See `find_builder`.
        n_classes: Number of outputs, at least 1.
        in_channels: 1 for grey images, 3 for colour.

    Returns:
        A network that maps float images [n, in_channels, h, w] to logits [n, n_classes].

    Raises:
        ConfigError: If there is no such model, or the builder raised, or returned something else.
    """
    builder = find_builder(name)
    try:
        model = _call(builder, name, n_classes, in_channels)
    except ConfigError:
        raise
    except Exception as error:  # whatever a builder of the user's may raise
        raise ConfigError(f"`model.name` {name!r} cannot be built: {type(error).__name__}: {error}") from error
    if not isinstance(model, nn.Module):
        raise ConfigError(f"`model.name` {name!r} must build a torch.nn.Module, but got {type(model).__name__}.")
    return model


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
    builder = find_builder(name)
    digest = hashlib.blake2b(digest_size=16)
    for module_name in dict.fromkeys((name.partition(":")[0], builder.__module__)):
        file = getattr(sys.modules.get(module_name), "__file__", None)
        digest.update(Path(file).read_bytes() if file is not None and Path(file).is_file() else b"")
    return digest.hexdigest()


def _call(builder: ModelBuilder, name: str, n_classes: int, in_channels: int) -> object:
    """Calls a builder with both numbers if it takes two; else with what it asks for by name."""
    try:
        parameters = inspect.signature(builder).parameters
        inspect.signature(builder).bind(n_classes, in_channels)
    except ValueError:  # written in C
        return builder(n_classes, in_channels)
    except TypeError:
        known = dict.fromkeys(_CLASSES, n_classes) | dict.fromkeys(_CHANNELS, in_channels)
        named = {word: known[word] for word in parameters if word in known}
        try:
            inspect.signature(builder).bind(**named)
        except TypeError:
            raise ConfigError(
                f"`model.name` {name!r} must take the number of classes and of input channels, or ask for them as "
                f"{', '.join((*_CLASSES, *_CHANNELS))}, but its parameters are {', '.join(parameters)}."
            ) from None
        return builder(**named)
    return builder(n_classes, in_channels)


__all__ = ["ModelBuilder", "arranged", "build_model", "code_digest", "find_builder", "model_names", "optimise_for"]
