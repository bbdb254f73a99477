"""Folders of images, one folder a class."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from antisample.datasets.archives import CLASS_FOLDERS, refuse_archives
from antisample.datasets.pixels import EncodedImage, PixelArray, decode_images, stack_splits
from antisample.datasets.source import DecodedData, file_identity
from antisample.errors import DataError
from antisample.types import ImageSet, IndexArray

SPLITS = ("train", "test")

FilesByClass = Mapping[str, Sequence[Path]]


@dataclass(frozen=True)
class ImageFolder:
    """Images in `train/<class>/` and `test/<class>/` (PNG, JPEG, BMP, WebP, GIF, TIFF).

    The label of a class is the position of its name among all names, sorted. Hidden files are ignored; any
    other file must be an image. If all images are grey, the data set has 1 channel, else 3.

    Attributes:
        root: The folder that holds `train` and `test`.
    """

    root: Path

    def identity(self) -> Sequence[str]:
        """Lists the files.

        Returns:
            Path, size and time of change of every file.

        Raises:
            DataError: If the layout is another one, or the splits differ in their classes.
        """
        return ["image folder", *file_identity(self.root, all_files(self.splits()))]

    def decode(self, image_size: int | None) -> DecodedData:
        """Decodes all images in parallel; see `DatasetSource.decode`."""
        return decode_splits(self.splits(), image_size, str(self.root))

    def splits(self, advice: str = CLASS_FOLDERS) -> tuple[FilesByClass, FilesByClass]:
        """Lists the image files of both splits by class.

        Args:
            advice: What to do about a pickled archive among the images.

        Raises:
            DataError: As `identity` does.
        """
        for split in SPLITS:
            if not (self.root / split).is_dir():
                raise DataError(
                    f"{self.root}: an image folder must hold `train` and `test`, but `{split}` is missing."
                )
        train, test = (files_by_class(self.root / split, advice) for split in SPLITS)
        if train.keys() != test.keys():
            name = min(train.keys() ^ test.keys())
            present, absent = ("train", "test") if name in train else ("test", "train")
            raise DataError(
                f"{self.root}: `train` and `test` must have the same class folders, "
                f"but {name!r} is in {present} and not in {absent}."
            )
        for split, by_class in zip(SPLITS, (train, test), strict=True):
            for name, files in by_class.items():
                if not files:
                    raise DataError(
                        f"{self.root / split / name}: every class must have at least 1 {split} image, but got 0."
                    )
        return train, test


def files_by_class(folder: Path, advice: str) -> dict[str, list[Path]]:
    """Lists a folder of class folders; hidden entries are ignored.

    Args:
        folder: Holds one folder a class, and they hold files.
        advice: What to do about a pickled archive.

    Returns:
        The files of each class, both sorted by name; a class may have none.

    Raises:
        DataError: If there are no classes, or other entries than promised.
    """
    classes = _visible(folder)
    refuse_archives((Path(entry) for entry in classes), advice)
    for entry in classes:
        if not entry.is_dir():
            raise DataError(f"{entry.path}: `{folder.name}` must hold one folder a class, but got a file.")
    if not classes:
        raise DataError(f"{folder}: must hold one folder a class, but is empty.")
    found = {}
    for entry in classes:
        files = _visible(entry)
        for file in files:
            if not file.is_file():
                raise DataError(f"{file.path}: a class folder must hold images alone, but got a folder.")
        found[entry.name] = [Path(file) for file in files]
        refuse_archives(found[entry.name], advice)
    return found


def all_files(splits: Iterable[FilesByClass]) -> list[Path]:
    """The files of all splits and classes."""
    return [file for by_class in splits for files in by_class.values() for file in files]


def decode_splits(splits: tuple[FilesByClass, FilesByClass], image_size: int | None, origin: str) -> DecodedData:
    """Decodes both splits in parallel.

    Args:
        splits: Training and test files of the same classes, in the order of their labels.
        image_size: As for `DatasetSource.decode`.
        origin: The folder, for messages.

    Returns:
        Images and labels, class after class.

    Raises:
        DataError: If an image is damaged, or sizes differ.
    """
    (train, train_labels), (test, test_labels) = (_decode(by_class, image_size) for by_class in splits)
    train_images, test_images = stack_splits(train, test, origin)
    return DecodedData(ImageSet(train_images, train_labels), ImageSet(test_images, test_labels), tuple(splits[0]))


def _decode(by_class: FilesByClass, image_size: int | None) -> tuple[list[PixelArray], IndexArray]:
    arrays = decode_images([EncodedImage(str(path), path) for path in all_files([by_class])], image_size)
    counts = [len(files) for files in by_class.values()]
    return arrays, np.repeat(np.arange(len(counts), dtype=np.int64), counts)


def _visible(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    # Entries know what they are without a look at each file: half a million would take a network drive minutes.
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
