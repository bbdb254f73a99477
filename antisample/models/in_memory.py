"""A network that exists as an object alone: no name builds it again, so it is copied, and its weights drawn anew."""

import copy
import hashlib
import inspect

import torch
from torch import Tensor, nn

from antisample.checkpoints.checkpoint import weights_fingerprint

_PREFIX = "in memory:"


def name_in_memory(network: nn.Module) -> str:
    """What stands in the place of `model.name` for a network that no name builds."""
    return f"{_PREFIX}{type(network).__name__}"


def is_in_memory(name: str) -> bool:
    """Whether a network of this name was handed over as an object."""
    return name.startswith(_PREFIX)


def fresh_copy(network: nn.Module) -> nn.Module:
    """The same architecture with fresh weights, drawn from torch's global random state.

    Layers draw their own weights (`reset_parameters`). Parameters that no layer draws, such as the class token of a
    transformer, get their own values in random order.

    Args:
        network: Stays as it is.

    Returns:
        A copy on the network's device.
    """
    copied = copy.deepcopy(network)
    with torch.no_grad():
        for module in copied.modules():
            own = list(module.parameters(recurse=False))
            if own and not _has_drawn(module):
                for parameter in own:
                    parameter.copy_(_shuffled(parameter))
    return copied


def code_digest_in_memory(network: nn.Module) -> str:
    """Digest of an architecture as far as an object tells it: its modules, their classes' code and its weights."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr(network).encode())
    for kind in dict.fromkeys(type(module) for module in network.modules()):
        try:
            digest.update(inspect.getsource(kind).encode())
        except (OSError, TypeError):
            digest.update(kind.__qualname__.encode())
    digest.update(weights_fingerprint({name: each.cpu() for name, each in network.state_dict().items()}).encode())
    return digest.hexdigest()


def _has_drawn(module: nn.Module) -> bool:
    """Lets a layer draw its own weights; False where it cannot."""
    reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
    if not callable(reset):
        return False
    try:
        reset()
    except Exception:  # whatever a layer of the user's may raise
        return False
    return True


def _shuffled(parameter: Tensor) -> Tensor:
    return parameter.flatten()[torch.randperm(parameter.numel()).to(parameter.device)].view_as(parameter)
