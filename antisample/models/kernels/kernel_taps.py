"""Which taps of a convolution's kernel meet which pixels."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Axis(NamedTuple):
    """One axis of a convolution: how many outputs, and for each tap in use which outputs meet which inputs."""

    outputs: int
    used: slice
    taps: tuple[tuple[slice, slice], ...]


def axes_of(images: Tensor, conv: nn.Conv2d, max_positions: int) -> tuple[Axis, Axis] | None:
    """Rows and columns of a convolution.

    Args:
        images: [n, channels, h, w].
        conv: Tells kernel, padding, stride and dilation.
        max_positions: The most positions the output may have.

    Returns:
        Both axes; None where the padding is not a number of zeros, no tap meets a pixel, or the output has more
        positions.
    """
    if isinstance(conv.padding, str) or conv.padding_mode != "zeros":
        return None
    rows, columns = (
        _axis(images.shape[k + 2], conv.kernel_size[k], conv.stride[k], conv.padding[k], conv.dilation[k])
        for k in (0, 1)
    )
    if not rows.taps or not columns.taps or rows.outputs * columns.outputs > max_positions:
        return None
    return rows, columns


def empty_output(images: Tensor, channels: int, rows: Axis, columns: Axis) -> Tensor:
    """An output [n, channels, h, w] to fill, channels last; no view, which in-place activations would refuse."""
    shape = len(images), channels, rows.outputs, columns.outputs
    return torch.empty(shape, dtype=images.dtype, device=images.device, memory_format=torch.channels_last)


@lru_cache(maxsize=1024)
def _axis(size: int, kernel: int, stride: int, padding: int, dilation: int) -> Axis:
    outputs = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    met = []
    for tap in range(kernel):
        offset = tap * dilation - padding  # output o meets input o * stride + offset
        first, end = max(0, -(offset // stride)), min(outputs, (size - 1 - offset) // stride + 1)
        start = first * stride + offset
        met.append((slice(first, end), slice(start, start + (end - first - 1) * stride + 1, stride), end > first))
    in_use = [tap for tap, (_, _, meets) in enumerate(met) if meets]
    if not in_use:
        return Axis(outputs, slice(0), ())
    used = slice(in_use[0], in_use[-1] + 1)
    nothing = (slice(0), slice(0))
    return Axis(outputs, used, tuple((out, pixels) if meets else nothing for out, pixels, meets in met[used]))
