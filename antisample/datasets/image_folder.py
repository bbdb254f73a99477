"""Folders of images, one folder a class."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from antisample.datasets.pixels import EncodedImage, PixelArray, decode_images, stack_splits
from antisample.datasets.source import DecodedData, file_identity
from antisample.errors import DataError
from antisample.types import ImageSet, IndexArray

SPLITS = ("train", "test")


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
        classes = self._classes()
        files = (path for split in SPLITS for name in classes for path in self._files(split, name))
        return ["image folder", *file_identity(self.root, files)]

    def decode(self, image_size: int | None) -> DecodedData:
        """Decodes all images in parallel; see `DatasetSource.decode`."""
        classes = self._classes()
        (train, train_labels), (test, test_labels) = (self._decode(split, classes, image_size) for split in SPLITS)
        train_images, test_images = stack_splits(train, test, str(self.root))
        return DecodedData(ImageSet(train_images, train_labels), ImageSet(test_images, test_labels), classes)

    def _decode(
        self, split: str, classes: tuple[str, ...], image_size: int | None
    ) -> tuple[list[PixelArray], IndexArray]:
        files = [(path, label) for label, name in enumerate(classes) for path in self._files(split, name)]
        arrays = decode_images([EncodedImage(str(path), path) for path, _ in files], image_size)
        return arrays, np.array([label for _, label in files], np.int64)

    def _classes(self) -> tuple[str, ...]:
        train, test = (self._class_folders(split) for split in SPLITS)
        if train != test:
            name = min(train ^ test)
            present, absent = ("train", "test") if name in train else ("test", "train")
            raise DataError(
                f"{self.root}: `train` and `test` must have the same class folders, "
                f"but {name!r} is in {present} and not in {absent}."
            )
        return tuple(sorted(train))

    def _class_folders(self, split: str) -> set[str]:
        folder = self.root / split
        if not folder.is_dir():
            raise DataError(f"{self.root}: an image folder must hold `train` and `test`, but `{split}` is missing.")
        entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
        for entry in entries:
            if not entry.is_dir():
                raise DataError(f"{entry}: `{split}` must hold one folder a class, but got a file.")
        if not entries:
            raise DataError(f"{folder}: must hold one folder a class, but is empty.")
        return {entry.name for entry in entries}

    def _files(self, split: str, name: str) -> list[Path]:
        folder = self.root / split / name
        files = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
        for entry in files:
            if not entry.is_file():
                raise DataError(f"{entry}: a class folder must hold images alone, but got a folder.")
        if not files:
            raise DataError(f"{folder}: every class must have at least 1 {split} image, but got 0.")
        return files
