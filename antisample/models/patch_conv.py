"""Convolutions over a handful of positions as one matrix product: the same function, several times faster on CPUs.

A ResNet18 at 32 x 32 pixels ends in convolutions over 2 x 2 and 1 x 1 positions. oneDNN computes their weight
gradients at a few percent of the matrix-product speed; unfolding the patches first costs nothing at that size.
"""

import torch
from torch import Tensor, nn


class PatchConv2d(nn.Conv2d):
    """A Conv2d that multiplies unfolded patches where the output has at most `max_positions` positions.

    Parameters and state-dict names are those of Conv2d. Results differ from it by rounding only.
    """

    max_positions = 4

    def forward(self, images: Tensor) -> Tensor:
        """Maps [n, in channels, h, w] to [n, out channels, h', w']."""
        kernel, stride, padding, dilation = self.kernel_size, self.stride, self.padding, self.dilation
        if self.groups != 1 or isinstance(padding, str) or self.padding_mode != "zeros":
            return super().forward(images)
        height, width = (
            (images.shape[axis + 2] + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis] + 1
            for axis in (0, 1)
        )
        if height * width > self.max_positions:
            return super().forward(images)
        patches = nn.functional.unfold(images, kernel, dilation, padding, stride)  # [n, c * k * k, positions]
        rows = patches.transpose(1, 2).reshape(-1, patches.shape[1])
        out = nn.functional.linear(rows, self.weight.reshape(self.out_channels, -1), self.bias)
        return out.view(len(images), height, width, self.out_channels).permute(0, 3, 1, 2)


def use_patch_convolutions(model: nn.Module, device: torch.device) -> nn.Module:
    """Replaces plain convolutions in place where `device` is a CPU; weights and their names stay.

    Args:
        model: Any network; its Conv2d children share their parameters with what replaces them.
        device: Where the model will run; on other devices nothing changes.

    Returns:
        The same model.
    """
    if device.type != "cpu":
        return model
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Conv2d and isinstance(child.padding, tuple):
                patched = PatchConv2d(
                    child.in_channels,
                    child.out_channels,
                    child.kernel_size,  # type: ignore[arg-type]
                    child.stride,  # type: ignore[arg-type]
                    child.padding,  # type: ignore[arg-type]
                    child.dilation,  # type: ignore[arg-type]
                    child.groups,
                    child.bias is not None,
                    child.padding_mode,
                    device="meta",
                )
                patched.weight, patched.bias = child.weight, child.bias
                patched.train(child.training)
                setattr(parent, name, patched)
    return model
