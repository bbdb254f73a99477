"""How many pixels images may unfold to: an image file of 22 kB can hold 170 million of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from antisample.errors import DataError

MOST_PIXELS = 2**26
"""Pixels of one image, about 8,000 x 8,000."""
_LARGE = 2**23
_SUSPICIOUS_BYTES, _SUSPICIOUS_FACTOR = 2**30, 200
_CHANNELS = 3


class PixelBudget:
    """What the images of one set may take, known from their headers before any of them is decoded.

    Photographs unfold to some ten times their files, drawings to a hundred times. Sets of more than a GiB that unfold
    to more than 200 times their files are refused: they cost memory and hours, and hold nothing to learn from.
    """

    def __init__(self) -> None:
        self._lock, self._one_at_a_time = threading.Lock(), threading.Lock()
        self._pixels = self._bytes = 0

    @contextmanager
    def spent(self, origin: str, size: tuple[int, int], n_bytes: int) -> Iterator[None]:
        """Counts an image before it is decoded within the block; large ones are decoded one at a time.

        Args:
            origin: What to call it in an error message.
            size: Width and height in pixels.
            n_bytes: Length of its file.

        Yields:
            Nothing.

        Raises:
            DataError: If the image, or the set up to it, is too large.
        """
        width, height = size
        if width * height > MOST_PIXELS:
            raise DataError(
                f"{origin}: an image must have at most {MOST_PIXELS:,} pixels, but has {width:,} x {height:,}."
            )
        with self._lock:
            self._pixels += _CHANNELS * width * height
            self._bytes += n_bytes
            pixels, files = self._pixels, self._bytes
        if pixels > _SUSPICIOUS_BYTES and pixels > _SUSPICIOUS_FACTOR * files:
            raise DataError(
                f"{origin}: images must not take more than {_SUSPICIOUS_FACTOR} times their files once they are over "
                f"1 GiB, but up to this one {files / 2**20:.1f} MiB of files expand to {pixels / 2**30:.1f} GiB."
            )
        with self._one_at_a_time if width * height > _LARGE else nullcontext():
            yield
