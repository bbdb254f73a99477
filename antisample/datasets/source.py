"""What a loader has to offer, what it hands over, and the rules every data set obeys."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from antisample.errors import DataError
from antisample.types import ImageSet


@dataclass(frozen=True)
class DecodedData:
    """All pixels and labels of a data set, in memory or mapped from a cache file.

    Attributes:
        train: The training split.
        test: The test split.
        class_names: One name a class; the position is the label.
    """

    train: ImageSet
    test: ImageSet
    class_names: tuple[str, ...]


class DatasetSource(Protocol):
    """A data set that can be decoded.

    A new one is a file with a class of this shape and a line in the registry of `antisample.datasets`.
    Caching, fingerprints and `validate` are done for it.
    """

    def identity(self) -> Sequence[str]:
        """Says cheaply, without decoding, which data `decode` would read; keys the cache.

        Files that are to be downloaded are downloaded here.

        Returns:
            Strings that change whenever the data may have changed.

        Raises:
            DataError: If the data is missing or cannot be downloaded.
        """
        ...

    def decode(self, image_size: int | None) -> DecodedData:
        """Reads everything.

        Args:
            image_size: Height and width to resize every image to; None keeps the size of the data.

        Returns:
            Splits whose images have the same number of channels (1 or 3).

        Raises:
            DataError: If the data is damaged or of another layout than required.
        """
        ...


def file_identity(root: Path, files: Iterable[Path]) -> list[str]:
    """Describes files by place, size and time of change.

    Args:
        root: Folder that all files lie in.
        files: The files, in any order.

    Returns:
        The resolved root, and relative path, size and modification time in ns of every file, by path.
    """
    stats = ((path.relative_to(root).as_posix(), path.stat()) for path in sorted(files))
    return [str(root.resolve()), *(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in stats)]


def validate(data: DecodedData, origin: str) -> None:
    """Checks the rules that the rest of the program relies on.

    Args:
        data: The decoded data set.
        origin: Its name or folder, for the message.

    Raises:
        DataError: If a split is empty, images are not square or differ in shape between the splits, a label
            names no class, or a class has no training image.
    """
    n_classes = len(data.class_names)
    for split, images in (("train", data.train), ("test", data.test)):
        shape = images.images.shape
        if len(images) == 0:
            raise DataError(f"{origin}: the {split} split must hold at least 1 image, but got 0.")
        if len(shape) != 4 or shape[0] != len(images) or shape[1] not in (1, 3):
            raise DataError(
                f"{origin}: {split} images must have the shape [{len(images)}, 1 or 3, height, width], "
                f"but got {list(shape)}."
            )
        if shape[2] != shape[3] or shape[2] < 1:
            raise DataError(
                f"{origin}: images must be square, but got {shape[2]}x{shape[3]} (height x width); "
                "pass `image_size` to resize them."
            )
        low, high = int(images.labels.min()), int(images.labels.max())
        if low < 0 or high >= n_classes:
            raise DataError(
                f"{origin}: {split} labels must be in [0, {n_classes}), but got {low if low < 0 else high}."
            )
    if data.train.images.shape[1:] != data.test.images.shape[1:]:
        raise DataError(
            f"{origin}: train and test images must have the same shape, but got "
            f"{list(data.train.images.shape[1:])} and {list(data.test.images.shape[1:])}."
        )
    counts = np.bincount(data.train.labels, minlength=n_classes)
    if not counts.all():
        missing = [data.class_names[label] for label in np.flatnonzero(counts == 0)]
        raise DataError(f"{origin}: every class must have a training image, but got 0 for {missing}.")
