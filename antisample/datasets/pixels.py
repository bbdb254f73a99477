"""Encoded images to arrays of one shape, on all processors."""

import io
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from antisample.datasets.pixel_budget import PixelBudget
from antisample.errors import DataError

PixelArray = npt.NDArray[np.uint8]

# Named, because Pillow would otherwise also try formats that start an interpreter (EPS).
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
_READABLE = "PNG, JPEG, BMP, WebP, GIF, TIFF, PPM"
_GREY_MODES = frozenset({"1", "L", "LA", "La"})
_WIDE_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_CHUNK = 64


@dataclass(frozen=True)
class EncodedImage:
    """An image file that has not been read yet.

    Attributes:
        origin: What to call it in an error message.
        content: The bytes of the file, or where it lies.
    """

    origin: str
    content: bytes | Path


def decode_images(encoded: Sequence[EncodedImage], image_size: int | None) -> list[PixelArray]:
    """Decodes images in parallel; Pillow releases the interpreter lock.

    Orientation tags are obeyed, transparency is dropped.

    Args:
        encoded: The images.
        image_size: Height and width to resize to (bilinear, antialiased); None keeps the size.

    Returns:
        One array an image, in order: uint8, shape [channels, height, width]; grey images have 1 channel,
        others 3.

    Raises:
        DataError: If an image is damaged, of a format that is not read, too large, or has more than 8 bits a
            channel; or if all images together unfold from next to nothing.
    """
    budget = PixelBudget()
    chunks = [encoded[start : start + _CHUNK] for start in range(0, len(encoded), _CHUNK)]

    def decode_chunk(chunk: Sequence[EncodedImage]) -> list[PixelArray]:
        return [_decode(image, image_size, budget) for image in chunk]

    with warnings.catch_warnings(), ThreadPoolExecutor(_threads(len(chunks))) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # what is too large is refused
        return [array for arrays in pool.map(decode_chunk, chunks) for array in arrays]


def stack_splits(splits: Sequence[Sequence[PixelArray]], origin: str) -> list[PixelArray]:
    """Joins decoded images; grey ones become RGB where any image of any split is in colour.

    Args:
        splits: For each split, arrays of shape [1 or 3, height, width].
        origin: Name or folder of the data set, for the message.

    Returns:
        For each split uint8, shape [n, channels, size, size], contiguous.

    Raises:
        DataError: If images are not square or differ in size.
    """
    sizes = sorted({array.shape[1:] for arrays in splits for array in arrays})
    if len(sizes) != 1 or sizes[0][0] != sizes[0][1]:
        listed = ", ".join(f"{height}x{width}" for height, width in sizes[:5])
        more = f" and {len(sizes) - 5} more" if len(sizes) > 5 else ""
        raise DataError(
            f"{origin}: images must be square and of one size, but got {listed}{more} (height x width); "
            "set `data.image_size` to resize them."
        )
    channels = max(array.shape[0] for arrays in splits for array in arrays)

    def stack(arrays: Sequence[PixelArray]) -> PixelArray:
        stacked = np.empty((len(arrays), channels, *sizes[0]), np.uint8)
        for position, array in enumerate(arrays):
            stacked[position] = array
        return stacked

    return [stack(arrays) for arrays in splits]


def resize_images(images: PixelArray, image_size: int | None) -> PixelArray:
    """Resizes decoded images in parallel, bilinear and antialiased.

    Args:
        images: uint8, shape [n, 1 or 3, height, width].
        image_size: New height and width; None keeps the size.

    Returns:
        uint8, shape [n, channels, image_size, image_size], contiguous.
    """
    if image_size is None or images.shape[2:] == (image_size, image_size):
        return np.ascontiguousarray(images)
    resized = np.empty((*images.shape[:2], image_size, image_size), np.uint8)
    starts = range(0, len(images), _CHUNK)

    def resize_chunk(start: int) -> None:
        for position in range(start, min(start + _CHUNK, len(images))):
            for channel, plane in enumerate(images[position]):
                image = Image.fromarray(np.ascontiguousarray(plane))
                resized[position, channel] = _resized(image, image_size)

    with ThreadPoolExecutor(_threads(len(starts))) as pool:
        list(pool.map(resize_chunk, starts))
    return resized


def _threads(chunks: int) -> int:
    return max(1, min(os.cpu_count() or 1, chunks))


def _resized(image: Image.Image, image_size: int) -> Image.Image:
    return image.resize((image_size, image_size), Image.Resampling.BILINEAR)


def _decode(encoded: EncodedImage, image_size: int | None, budget: PixelBudget) -> PixelArray:
    content = encoded.content
    try:
        with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content, formats=_FORMATS) as image:
            mode = image.mode
            if mode in _WIDE_MODES:
                raise DataError(
                    f"{encoded.origin}: images must have 8 bits per channel, but got Pillow mode {mode!r}."
                )
            length = len(content) if isinstance(content, bytes) else content.stat().st_size
            with budget.spent(encoded.origin, image.size, length):
                ImageOps.exif_transpose(image, in_place=True)
                upright = image.convert("L" if mode in _GREY_MODES else "RGB")
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(f"{encoded.origin}: cannot be decoded; an image must be one of {_READABLE}.") from error
    except Exception as error:  # damaged files make Pillow raise anything, struct.error and KeyError among it
        raise DataError(f"{encoded.origin}: cannot be decoded as an image ({error}).") from error
    pixels = np.asarray(upright if image_size is None else _resized(upright, image_size))
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
