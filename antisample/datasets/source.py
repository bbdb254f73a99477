"""What a loader has to offer, what it hands over, and the rules every data set obeys."""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from antisample.datasets.listing import is_unicode
from antisample.errors import DataError
from antisample.types import ImageSet, IndexArray, SplitName


@dataclass(frozen=True)
class DecodedData:
    """All pixels and labels of a data set, in memory or mapped from a cache file.

    Attributes:
        train: The training split.
        test: The test split; None if it is still to be drawn from the training images.
        class_names: One name a class; the position is the label.
        validation: The validation split, if the data has one beside the test split.
        notes: What the user should know about how the data was read, whole sentences.
    """

    train: ImageSet
    test: ImageSet | None
    class_names: tuple[str, ...]
    validation: ImageSet | None = None
    notes: tuple[str, ...] = ()

    def splits(self) -> dict[SplitName, ImageSet]:
        """The splits that there are, by name; training images first."""
        named: dict[SplitName, ImageSet | None] = {
            "train": self.train,
            "test": self.test,
            "validation": self.validation,
        }
        return {name: images for name, images in named.items() if images is not None}


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


def decoded_data(sets: Sequence[ImageSet], class_names: tuple[str, ...], notes: tuple[str, ...] = ()) -> DecodedData:
    """Names splits that stand in the order train, test, validation, as far as there are any."""
    train, test, validation = (*sets, None, None)[:3]
    if train is None:
        raise ValueError("there must be a training split")
    return DecodedData(train, test, class_names, validation, notes)


def refuse_class_names(names: Sequence[object], origin: str) -> None:
    """Checks, before anything is decoded, that class names can be told apart and written everywhere.

    Args:
        names: One name a class.
        origin: What holds them, for the message.

    Raises:
        DataError: If one is not a text, is empty, holds what no file or database can hold, or comes twice.
    """
    for position, name in enumerate(names):
        if not isinstance(name, str):
            raise DataError(f"{origin}: class names must be text, but the name of class {position} is {name!r}.")
        if not name.strip():
            raise DataError(f"{origin}: class names must not be empty, but that of class {position} is {name!r}.")
        if not is_unicode(name) or any(unicodedata.category(character) == "Cc" for character in name):
            raise DataError(
                f"{origin}: class names must be valid UTF-8 without control characters, but got {name!a}."
            )
    twice = [str(name) for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{origin}: every class must have a unique name, but got {twice[0]!r} twice.")


def validate(data: DecodedData, origin: str, may_lack: Collection[str] = ()) -> None:
    """Checks the rules that the rest of the program relies on.

    Args:
        data: The decoded data set.
        origin: Its name or folder, for the message.
        may_lack: See `check_classes`.

    Raises:
        DataError: If a split is empty, images are not square or differ in shape between the splits, a label
            names no class, a class has no training image, or names of classes cannot be used.
    """
    refuse_class_names(data.class_names, origin)
    n_classes = len(data.class_names)
    splits = data.splits()
    for split, images in splits.items():
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
                "set `data.image_size` to resize them."
            )
        low, high = int(images.labels.min()), int(images.labels.max())
        if low < 0 or high >= n_classes:
            raise DataError(
                f"{origin}: {split} labels must be in [0, {n_classes}), but got {low if low < 0 else high}."
            )
        if shape[1:] != data.train.images.shape[1:]:
            raise DataError(
                f"{origin}: train and {split} images must have the same shape, but got "
                f"{list(data.train.images.shape[1:])} and {list(shape[1:])}."
            )
    check_classes(data.class_names, data.train.labels, origin, may_lack)


def check_classes(
    class_names: Sequence[str], labels: IndexArray, origin: str, may_lack: Collection[str] = ()
) -> None:
    """Checks that there is something to learn each class from.

    Args:
        class_names: Of the data.
        labels: Of the training images.
        origin: See `validate`.
        may_lack: Names of classes that need no images.

    Raises:
        DataError: If another class has no training image.
    """
    counts = np.bincount(labels, minlength=len(class_names))
    missing = [name for name, count in zip(class_names, counts, strict=True) if not count and name not in may_lack]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise DataError(f"{origin}: every class must have a training image, but got 0 for {missing[:5]}{more}.")
