"""Images of floats that are 8-bit pixels with a normalisation: they become pixels again.

`ToTensor` and `Normalize` map 256 levels to 256 floats in each channel. Pixels take a quarter of the memory, and
their farthest neighbours are exact, so a data set with these transforms gives the figures that its files give.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from antisample.checkpoints.channel_values import checked_preprocessing
from antisample.objects.items import Pixels
from antisample.objects.reading import batches_of
from antisample.types import Preprocessing

UNCHANGED = 1 / 255
"""The standard deviation that, with mean 0, leaves floats as they are."""

_TOLERANCE = 4e-6
"""Of the range of a channel: what float32 rounds, and a thousandth of the distance of two levels."""
_DIGITS = 6


def unchanged(channels: int) -> Preprocessing:
    """Leaves floats as they are."""
    return Preprocessing((0.0,) * channels, (UNCHANGED,) * channels)


def pixel_levels(images: Sequence[Pixels]) -> Preprocessing | None:
    """The normalisation under which images of floats are 8-bit pixels.

    The smallest and the largest value of a channel of the first images are taken for the levels 0 and 255.

    Args:
        images: float32, [n, channels, height, width]; training images first.

    Returns:
        Mean and standard deviation, a value a channel; None if some value lies between two levels.
    """
    low = images[0].min(axis=(0, 2, 3)).astype(np.float64)
    high = images[0].max(axis=(0, 2, 3)).astype(np.float64)
    if not (high > low).all():
        return None
    std = 1 / (high - low)
    mean = 0.0 - low * std
    rounded = mean.round(_DIGITS), std.round(_DIGITS)
    if (rounded[1] > 0).all() and _near(rounded, low, high):
        mean, std = rounded
    try:
        preprocessing = checked_preprocessing(mean, std)
    except ValueError:  # no normalisation of pixels is like that
        return None
    on_levels = all(_are_levels(some, preprocessing) for each in images for some in batches_of(each))
    return preprocessing if on_levels else None


def to_pixels(images: Pixels, preprocessing: Preprocessing) -> npt.NDArray[np.uint8]:
    """The pixels behind normalised images, uint8; see `pixel_levels`."""
    pixels = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), 4096):
        pixels[start : start + 4096] = _levels(images[start : start + 4096], preprocessing).round()
    return pixels


def _near(values: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]], low: object, high: object) -> bool:
    mean, std = values
    ends = np.array([-mean / std, (1 - mean) / std])
    return bool((np.abs(ends - np.array([low, high])) * std <= _TOLERANCE).all())


def _levels(images: Pixels, preprocessing: Preprocessing) -> npt.NDArray[np.float64]:
    mean, std = (np.array(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std))
    levels: npt.NDArray[np.float64] = 255 * (images.astype(np.float64) * std + mean)
    return levels


def _are_levels(images: Pixels, preprocessing: Preprocessing) -> bool:
    levels = _levels(images, preprocessing)
    nearest = levels.round()
    in_range = nearest.min() >= 0 and nearest.max() <= 255
    return bool(in_range and np.abs(levels - nearest).max() <= 255 * _TOLERANCE)
