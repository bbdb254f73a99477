"""One image and its label as a data set yields them, and the rules that both obey."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from antisample.errors import DataError
from antisample.validation.settings import shown

Pixels = npt.NDArray[np.uint8 | np.float32]

_SHAPES = "[n, channels, height, width], or [n, height, width] of grey images"


def pair_of(item: Any, origin: str) -> tuple[Any, Any]:
    """The image and the label of an item, or those of a batch.

    Args:
        item: What a data set or a loader yields.
        origin: Which, for messages.

    Raises:
        DataError: If it is no pair; a dictionary is none.
    """
    if isinstance(item, Mapping):
        keys = ", ".join(map(repr, item))
        raise DataError(
            f"{origin} must yield pairs (image, label), but yields dictionaries with the keys {keys}. Wrap it: a "
            "Dataset whose `__getitem__` returns the image and the label."
        )
    if not isinstance(item, tuple | list) or len(item) != 2:
        got = f"{len(item)} values" if isinstance(item, tuple | list) else type(item).__name__
        raise DataError(f"{origin} must yield pairs (image, label), but yields {got}.")
    return item[0], item[1]


def image_array(image: Any, origin: str) -> Pixels:
    """One image as [channels, height, width]; a PIL image becomes pixels, grey or colour."""
    if isinstance(image, Image.Image):
        plain = image if image.mode in ("L", "RGB") else image.convert("RGB")
        pixels = np.asarray(plain)
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    array = _numbers(image, origin)
    if array.ndim not in (2, 3):
        raise DataError(
            f"{origin} must yield images [channels, height, width], or [height, width] of grey ones, but yields "
            f"{list(array.shape)}."
        )
    return _usable(array if array.ndim == 3 else array[None], origin)


def images_array(images: Any, origin: str) -> Pixels:
    """Many images as [n, channels, height, width]: uint8, or float32."""
    array = _numbers(images, origin)
    if array.ndim not in (3, 4):
        raise DataError(f"The images of {origin} must be {_SHAPES}, but got {list(array.shape)}.")
    return _usable(array if array.ndim == 4 else array[:, None], origin)


def label_of(label: Any, origin: str) -> int:
    """One label.

    Raises:
        DataError: If it is no whole number of at least 0; a boolean and a float are none.
    """
    if isinstance(label, np.generic) or (isinstance(label, Tensor | np.ndarray) and label.ndim == 0):
        value = label.item()
    else:
        value = label
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise DataError(f"The labels of {origin} must be whole numbers, but one is {_described(label)}.")
    if value < 0:
        raise DataError(f"The labels of {origin} must be at least 0, but one is {value}.")
    return int(value)


def labels_array(labels: Any, origin: str) -> npt.NDArray[np.int64]:
    """Many labels, int64 [n]."""
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.ndim != 1:
        hint = "; of one-hot rows take `labels.argmax(1)`" if array.ndim == 2 else ""
        raise DataError(f"The labels of {origin} must be [n], but got {list(array.shape)}{hint}.")
    if not np.issubdtype(array.dtype, np.integer):
        raise DataError(f"The labels of {origin} must be whole numbers, but got {array.dtype}.")
    if len(array) and array.min() < 0:
        raise DataError(f"The labels of {origin} must be at least 0, but one is {array.min()}.")
    return array.astype(np.int64)


def _numbers(images: Any, origin: str) -> npt.NDArray[Any]:
    if isinstance(images, Tensor):
        plain = images.detach().cpu()
        array = (plain.float() if plain.is_floating_point() else plain).numpy()
    elif isinstance(images, np.ndarray):
        array = images
    else:
        raise DataError(
            f"The images of {origin} must be arrays, tensors or PIL images, but got {type(images).__name__}."
        )
    if array.dtype == bool or not (np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)):
        raise DataError(
            f"The images of {origin} must be whole numbers from 0 to 255 or floats, but got {array.dtype}."
        )
    return array


def _usable(array: npt.NDArray[Any], origin: str) -> Pixels:
    """uint8 from whole numbers, float32 from floats; 0 images are left for others to refuse."""
    if 0 in array.shape[1:]:
        raise DataError(f"The images of {origin} must have pixels, but got {list(array.shape)}.")
    if np.issubdtype(array.dtype, np.floating):
        floats = array.astype(np.float32, copy=False)
        if not np.isfinite(floats).all():
            raise DataError(f"The images of {origin} must be finite, but hold NaN or infinity.")
        return floats
    if array.dtype != np.uint8 and array.size and (array.min() < 0 or array.max() > 255):
        raise DataError(
            f"The images of {origin} must be whole numbers from 0 to 255 or floats, but got {array.dtype} from "
            f"{array.min()} to {array.max()}."
        )
    return array.astype(np.uint8, copy=False)


def _described(label: Any) -> str:
    if isinstance(label, Tensor | np.ndarray):
        kind = str(label.dtype).removeprefix("torch.")
        return f"{kind} {list(label.shape)}" if label.ndim else f"{shown(label.item())} ({kind})"
    return f"{shown(label)} ({type(label).__name__})"


def is_images(value: Any) -> bool:
    """Whether a value is an array or a tensor of images, and no data set."""
    return isinstance(value, Tensor | np.ndarray) and value.ndim > 0


def same(first: Any, second: Any) -> bool:
    """Whether an item is the same on a second reading: image and label, to the last bit."""
    if type(first) is not type(second):
        return False
    if isinstance(first, tuple | list):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, Mapping):
        return same(list(first.items()), list(second.items()))
    if isinstance(first, Tensor):
        return torch.equal(first, second)
    if isinstance(first, Image.Image | np.ndarray):
        return bool(np.array_equal(np.asarray(first), np.asarray(second)))
    return bool(first == second)
