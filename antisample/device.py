"""Where to compute."""

import torch

from antisample.errors import ConfigError


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


def describe_device(device: torch.device) -> str:
    """The device in words, for people."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.backends.cpu.get_cpu_capability()})"
