"""The padding that published networks for 32 pixels give to images of 28."""

from torch import Tensor, nn


class PadTo32(nn.Module):
    """Pads images of 28 pixels by 2 on each side, as published; others pass."""

    def forward(self, images: Tensor) -> Tensor:
        """Maps images [n, channels, h, w] to the same, or [n, channels, 32, 32]."""
        return nn.functional.pad(images, (2, 2, 2, 2)) if images.shape[-1] == 28 else images
