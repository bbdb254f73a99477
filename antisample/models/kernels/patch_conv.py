"""Convolutions over a handful of positions as one matrix product: the same function, many times faster on CPUs.

A ResNet18 at 32 x 32 pixels ends in convolutions over 2 x 2 and 1 x 1 positions. oneDNN computes their weight
gradients at a few percent of the matrix-product speed. Here, the patches are laid out by slices whose channels lie
side by side, and taps of the kernel that never meet a pixel are left out: of 3 x 3 over a single pixel, one is left.
"""

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from antisample.models.kernels.kernel_taps import Axis, axes_of, empty_output


def patch_convolution(images: Tensor, weight: Tensor, conv: nn.Conv2d, max_positions: int) -> Tensor | None:
    """The convolution without bias as one product, where the output has few positions.

    Args:
        images: [n, in channels, h, w].
        weight: Stands in for the weight of `conv`.
        conv: Tells padding, stride and the rest.
        max_positions: With more positions of the output, oneDNN is faster.

    Returns:
        [n, out channels, h', w'], the same as `conv` but for rounding; None where this is not the way to compute it.
    """
    axes = None if conv.groups != 1 else axes_of(images, conv, max_positions)
    if axes is None:
        return None
    if torch.is_autocast_enabled("cpu"):
        images = images.to(torch.get_autocast_dtype("cpu"))
    out: Tensor = _PatchProduct.apply(images, weight, *axes)
    return out


class _PatchProduct(torch.autograd.Function):
    """The convolution without bias: patches [n x positions, taps x channels] times the weights of these taps."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, rows: Axis, columns: Axis) -> Tensor:
        pixels = images.permute(0, 2, 3, 1)
        taps = [*product(rows.taps, columns.taps)]
        patches = pixels.new_zeros(len(images), rows.outputs, columns.outputs, len(taps), images.shape[1])
        for tap, ((out_y, in_y), (out_x, in_x)) in enumerate(taps):
            patches[:, out_y, out_x, tap] = pixels[:, in_y, in_x]
        patches = patches.view(-1, len(taps) * images.shape[1])
        used = weight.permute(0, 2, 3, 1)[:, rows.used, columns.used].to(images.dtype).reshape(len(weight), -1)
        ctx.save_for_backward(patches, used)
        ctx.axes, ctx.shapes, ctx.dtype = (rows, columns), (images.shape, weight.shape), weight.dtype
        out = empty_output(images, len(weight), rows, columns)
        torch.mm(patches, used.T, out=out.permute(0, 2, 3, 1).view(-1, len(weight)))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        patches, used = ctx.saved_tensors
        rows, columns = ctx.axes
        (n, channels, height, width), (outputs, _, *kernel) = ctx.shapes
        grad = grad.permute(0, 2, 3, 1).reshape(-1, outputs)
        to_images = to_weight = None
        if ctx.needs_input_grad[0]:
            taps = [*product(rows.taps, columns.taps)]
            to_patches = (grad @ used).view(n, rows.outputs, columns.outputs, len(taps), channels)
            pixels = grad.new_zeros(n, height, width, channels)
            for tap, ((out_y, in_y), (out_x, in_x)) in enumerate(taps):
                pixels[:, in_y, in_x] += to_patches[:, out_y, out_x, tap]
            to_images = pixels.permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            whole = grad.new_zeros(outputs, *kernel, channels, dtype=ctx.dtype)
            window = whole[:, rows.used, columns.used]
            window.copy_((grad.T @ patches).view(window.shape))
            to_weight = whole.permute(0, 3, 1, 2)
        return to_images, to_weight, None, None
