"""Random flips and shifts, each image by itself, by the same operations whatever is drawn."""

from typing import Literal

import torch
from torch import Tensor, nn

AugmentName = Literal["none", "shift", "flip_shift"]


class FlipShift:
    """Shifts every image by whole pixels, and mirrors a random half of them; what is uncovered becomes 0.

    In the normalised space 0 is the mean of the data. One gather does both, so it costs little on a CPU and can be
    part of a CUDA graph.

    Args:
        max_shift: Largest shift in each direction, in pixels, at least 1.
        flip: Whether images are mirrored left to right with probability 1/2.
    """

    def __init__(self, max_shift: int, *, flip: bool) -> None:
        self._max_shift, self._flip = max_shift, flip

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Augments a batch.

        Args:
            images: float32, [b, c, h, w].
            generator: On the device of the images.

        Returns:
            float32, [b, c, h, w].
        """
        n, _, height, width = images.shape
        device, reach = images.device, self._max_shift
        offsets = torch.randint(0, 2 * reach + 1, (2, n, 1), generator=generator, device=device)
        rows = torch.arange(height, device=device) + offsets[0]
        columns = torch.arange(width, device=device).expand(n, width)
        if self._flip:
            mirrored = torch.rand(n, 1, generator=generator, device=device) < 0.5
            columns = torch.where(mirrored, width - 1 - columns, columns)
        columns = columns + offsets[1]
        padded = nn.functional.pad(images, (reach, reach, reach, reach)).permute(0, 2, 3, 1)
        batch = torch.arange(n, device=device).view(n, 1, 1)
        return padded[batch, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)
