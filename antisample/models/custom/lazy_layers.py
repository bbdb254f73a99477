"""Lazy layers, which learn their shapes from the first images they see."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import parameter

from antisample.errors import ConfigError, in_one_line


def is_lazy(model: nn.Module) -> bool:
    """Whether a network has weights without a shape."""
    return any(True for _ in _without_shape(model))


def materialise(model: nn.Module, name: str, image_shape: Sequence[int]) -> None:
    """Gives lazy layers their shapes, in place; weights are drawn from torch's global random state.

    Args:
        model: The network; its statistics stay as they are.
        name: What it was built by, for messages.
        image_shape: Of one image, [channels, h, w].

    Raises:
        ConfigError: If the network does not take such images, or does not use a lazy layer.
    """
    device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    images = torch.zeros(2, *image_shape, device=device)
    lazy = [module for module in model.modules() if isinstance(module, nn.modules.lazy.LazyModuleMixin)]
    training = model.training
    for mode in (False, True):
        if not is_lazy(model):
            break
        before = {key: value.clone() for key, value in model.named_buffers() if not parameter.is_lazy(value)}
        model.train(mode)  # layers of auxiliary outputs are used in training alone
        try:
            with torch.no_grad():
                model(images.clone())
        except (Exception, SystemExit) as error:  # whatever a network of the user's may raise
            raise ConfigError(
                f"`model.name` {name!r} does not accept images {list(images.shape)}, which its lazy layers would get "
                f"their shapes from: {in_one_line(error)}."
            ) from error
        if mode:
            for key, value in model.named_buffers():
                if key in before and before[key].shape == value.shape:
                    value.copy_(before[key])
            for module in lazy:
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.reset_running_stats()
    model.train(training)
    unused = next(_without_shape(model), None)
    if unused is not None:
        raise ConfigError(f"`model.name` {name!r} has a lazy layer that it does not use: {unused!r} has no shape.")


def _without_shape(model: nn.Module) -> Iterator[str]:
    tensors: list[tuple[str, Tensor]] = [*model.named_parameters(), *model.named_buffers()]
    return (name for name, tensor in tensors if parameter.is_lazy(tensor))
