"""Where to compute, and how precisely."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import nn

from antisample.errors import ConfigError

Precision = Literal["float32", "bfloat16"]
"""`bfloat16` runs convolutions and matrix products of unlearning in bfloat16; weights, gradients of weights,
optimiser and evaluation stay float32. Original models and retrained references are trained in float32."""


def choose_device(wanted: str = "auto") -> torch.device:
    """Turns the user's wish into a device that exists.

    Args:
        wanted: `auto` takes a GPU where there is one; else `cpu`, `cuda` or `cuda:N`.

    Returns:
        The device.

    Raises:
        ConfigError: If there is no such device.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise ConfigError(f"`device` must be auto, cpu, cuda or cuda:N, but got {wanted!r}.") from None
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"`device` must be auto, cpu, cuda or cuda:N, but got {wanted!r}.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"`device` {wanted!r} does not exist: this machine has {torch.cuda.device_count()} GPUs.")
    return device


def mixed_precision(device: torch.device, precision: Precision) -> torch.autocast:
    """The context in which a network's forward pass runs with this precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def differentiable(model: nn.Module) -> Iterator[None]:
    """Within the block, gradients can be computed in eval mode; cuDNN refuses those of recurrent layers."""
    enabled = torch.backends.cudnn.enabled
    if not model.training and any(isinstance(module, nn.RNNBase) for module in model.modules()):
        torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = enabled


def has_bfloat16_unit(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 faster than float32: GPUs of today, CPUs with AVX-512 BF16 or AMX."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def describe_device(device: torch.device) -> str:
    """The device in words, for people."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.backends.cpu.get_cpu_capability()})"
