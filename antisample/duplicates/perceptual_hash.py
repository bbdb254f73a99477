"""The perceptual hash pHash: what images that look the same have in common, in 64 bits."""

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn

_SIDE = 8


def perceptual_hashes(brightness: npt.NDArray[np.float32]) -> npt.NDArray[np.uint64]:
    """Hashes images by the signs of their lowest 64 frequencies, each against their median.

    As in the library imagehash, but that images come as they are, and are not enlarged to 32 x 32 pixels first.

    Args:
        brightness: Shape [n, height, width], at least 8 pixels a side.

    Returns:
        A hash an image; of two, the number of bits that differ says how little the images are alike.
    """
    lowest = dctn(brightness, axes=(1, 2))[:, :_SIDE, :_SIDE].reshape(len(brightness), -1)
    bits = lowest > np.median(lowest, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]
