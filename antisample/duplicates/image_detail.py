"""What an image shows beside colour, brightness and contrast: its detail, as vectors that copies have in common.

Detail is a band of frequencies of the luminance: a small box blur minus a large one. It hardly changes when an image
is encoded again, or made smaller and large again. Borders are left out, and an image is also
described as if it were shifted, so that a shifted copy has the same vectors, whatever its border was filled with.
"""

from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d

SMALLEST = 16
"""Pixels a side below which detail cannot be told from chance."""

_LARGEST = 32
_LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue, as JPEG has it
_PLAIN = 0.5  # grey levels: detail below it may be noise of an encoder


class DetailOf:
    """Detail of some images.

    Args:
        images: uint8, [n, channels, h, h], h at least `SMALLEST`; larger than 32 x 32, they are reduced to that.
    """

    def __init__(self, images: npt.NDArray[np.uint8]) -> None:
        pixels = torch.from_numpy(np.ascontiguousarray(images)).float()
        if pixels.shape[1] == len(_LUMINANCE):
            pixels = (pixels * torch.tensor(_LUMINANCE).view(-1, 1, 1)).sum(1, keepdim=True)
        self._pixels = adaptive_avg_pool2d(pixels, _LARGEST) if pixels.shape[-1] > _LARGEST else pixels
        side = self._pixels.shape[-1]
        self.reach = round(side / 16)
        self._blur, self._cell = 2 * (side // 8) + 1, side // 8

    @property
    def luminance(self) -> npt.NDArray[np.float32]:
        """Brightness as people see it, [n, h, h]."""
        brightness: npt.NDArray[np.float32] = self._pixels[:, 0].numpy()
        return brightness

    def coarse(self, shift: tuple[int, int]) -> Tensor:
        """Few values an image, for a search: [n, d], of length 1, or 0 where there is next to no detail.

        Args:
            shift: Down and to the right, in pixels of at most `reach` either way.
        """
        n = (self._cells.shape[-1] + self._cell - 1 - 2 * self.reach) // self._cell
        down, right = (self.reach - by for by in shift)
        cells = self._cells[
            :, 0, down : down + n * self._cell : self._cell, right : right + n * self._cell : self._cell
        ]
        return _unit(cells.flatten(1))

    def fine(self, shift: tuple[int, int], which: Tensor | slice = slice(None)) -> Tensor:
        """The detail of every pixel of some images, for a comparison; see `coarse`."""
        side = self._detail.shape[-1] - 2 * self.reach
        down, right = (self.reach - by for by in shift)
        return _unit(self._detail[which, :, down : down + side, right : right + side].flatten(1))

    @cached_property
    def _cells(self) -> Tensor:
        return avg_pool2d(_band(self._pixels, 1, self._blur), self._cell, 1)

    @cached_property
    def _detail(self) -> Tensor:
        return _band(self._pixels, 3 if self._cell > 2 else 1, self._blur)


def shifts(reach: int) -> list[tuple[int, int]]:
    """All shifts down and to the right."""
    span = range(-reach, reach + 1)
    return [(down, right) for down in span for right in span]


def spread_shifts(reach: int) -> list[tuple[int, int]]:
    """Some of them, so that each is one of these or beside one: of many, the dark squares of a chess board."""
    return [(down, right) for down, right in shifts(reach) if reach < 2 or (down + right) % 2 == 0]


def _band(images: Tensor, small: int, large: int) -> Tensor:
    """A small box blur minus a large one, where both are defined."""
    margin, side = (large - small) // 2, images.shape[-1] - large + 1
    blurred = _box_blur(images, small)[..., margin : margin + side, margin : margin + side]
    return blurred - _box_blur(images, large)


def _box_blur(images: Tensor, size: int) -> Tensor:
    return avg_pool2d(avg_pool2d(images, (size, 1), 1), (1, size), 1)


def _unit(vectors: Tensor) -> Tensor:
    centred = vectors - vectors.mean(1, keepdim=True)
    lengths = centred.norm(dim=1, keepdim=True)
    return torch.where(lengths > _PLAIN * vectors.shape[1] ** 0.5, centred / lengths, 0.0)
