"""Folders of images, one folder a class."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from antisample.datasets.archives import CLASS_FOLDERS, refuse_archives
from antisample.datasets.copies import refuse_same_folders, refuse_same_images
from antisample.datasets.image_layout import ImageLayout, image_layout
from antisample.datasets.listing import describe, is_file, is_folder, refuse_unwritable_names, visible
from antisample.datasets.pixels import EncodedImage, PixelArray, decode_images, stack_splits
from antisample.datasets.source import DecodedData, decoded_data, file_identity, refuse_class_names
from antisample.datasets.split_names import split_named
from antisample.errors import DataError
from antisample.types import ImageSet, IndexArray

FilesByClass = Mapping[str, Sequence[Path]]

GROUPS_FILE = "groups.csv"
"""The file in an image folder that says which group each image belongs to; see `group_images`."""


@dataclass(frozen=True)
class ImageFolder:
    """Images in `train/<class>/` and `test/<class>/` (PNG, JPEG, BMP, WebP, GIF, TIFF, PPM).

    Validation images may lie in `val/<class>/`, which serve as test images if there is no `test`; see
    `image_layout`. Class folders without a split, or `train` alone, are training images, of which test images can be
    drawn. The label of a class is the position of its name among all names, sorted. Hidden files are ignored; any
    other file must be an image. If all images are grey, the data set has 1 channel, else 3.

    Attributes:
        root: The folder.
    """

    root: Path

    def identity(self) -> Sequence[str]:
        """Lists the files.

        Returns:
            Path, size and time of change of every file, and what there is to say about the layout.

        Raises:
            DataError: If the layout is another one, or the splits differ in their classes.
        """
        return ["image folder", *file_identity(self.root, all_files(self.splits())), *self.layout.notes]

    def decode(self, image_size: int | None) -> DecodedData:
        """Decodes all images in parallel; see `DatasetSource.decode`."""
        return decode_splits(self.splits(), image_size, str(self.root), self.layout.notes)

    @cached_property
    def layout(self) -> ImageLayout:
        """Which folder serves as which split.

        Raises:
            DataError: If there are no training images, or two folders for one split.
        """
        return image_layout(self.root)

    def has_test_split(self) -> bool:
        """Whether there are test images, so that none have to be drawn."""
        return len(self.layout.folders) > 1

    def splits(self, advice: str = CLASS_FOLDERS) -> tuple[FilesByClass, ...]:
        """Lists the image files by class.

        Args:
            advice: What to do about a pickled archive among the images.

        Returns:
            Those of the training split, of the test split and of the validation split, as far as there are any.

        Raises:
            DataError: As `identity` does.
        """
        folders = self.layout.folders
        listed = [files_by_class(folder, advice) for folder in folders]
        for folder, by_class in zip(folders[1:], listed[1:], strict=True):
            if listed[0].keys() != by_class.keys():
                name = min(listed[0].keys() ^ by_class.keys())
                present, absent = (folders[0], folder) if name in listed[0] else (folder, folders[0])
                raise DataError(
                    f"{self.root}: `{folders[0].name}` and `{folder.name}` must have the same class folders, "
                    f"but {name!r} is in {present.name} and not in {absent.name}."
                )
        for folder, by_class in zip(folders, listed, strict=True):
            for name, files in by_class.items():
                if not files:
                    raise DataError(
                        f"{folder / name}: every class must have at least 1 {folder.name} image, but got 0."
                    )
        refuse_same_folders(folder / name for folder in folders for name in listed[0])
        return tuple(listed)


def files_by_class(folder: Path, advice: str) -> dict[str, list[Path]]:
    """Lists a folder of class folders; hidden entries are ignored.

    Args:
        folder: Holds one folder a class, and they hold files.
        advice: What to do about a pickled archive.

    Returns:
        The files of each class, both sorted by name; a class may have none.

    Raises:
        DataError: If there are no classes, other entries than promised, or names that cannot be written down.
    """
    classes = [entry for entry in visible(folder) if entry.name != GROUPS_FILE]
    refuse_archives((Path(entry) for entry in classes), advice)
    refuse_unwritable_names(classes)
    for entry in classes:
        if not is_folder(entry):
            remark = "; a folder with this name is treated as a split" if split_named(folder.name) else ""
            raise DataError(
                f"{entry.path}: `{folder.name}` must hold one folder per class, but got {describe(entry)}{remark}."
            )
    if not classes:
        raise DataError(f"{folder}: must hold one folder per class, but is empty.")
    refuse_class_names([entry.name for entry in classes], str(folder))
    listed = {}
    for entry in classes:
        files = visible(entry)
        refuse_unwritable_names(files)
        for file in files:
            if not is_file(file):
                raise DataError(f"{file.path}: a class folder must only hold images, but got {describe(file)}.")
        listed[entry.name] = [Path(file) for file in files]
        refuse_archives(listed[entry.name], advice)
    return listed


def all_files(splits: Iterable[FilesByClass]) -> list[Path]:
    """The files of all splits and classes."""
    return [file for by_class in splits for files in by_class.values() for file in files]


def decode_splits(
    splits: Sequence[FilesByClass], image_size: int | None, origin: str, notes: tuple[str, ...] = ()
) -> DecodedData:
    """Decodes all splits in parallel.

    Args:
        splits: Training files, then test and validation files where there are any, of the same classes, in the order
            of their labels.
        image_size: As for `DatasetSource.decode`.
        origin: The folder, for messages.
        notes: What there is to say about the data.

    Returns:
        Images and labels, class after class.

    Raises:
        DataError: If an image is damaged, sizes differ, or classes or splits are copies of one another.
    """
    decoded = [_decode(by_class, image_size) for by_class in splits]
    notes = (*notes, *refuse_same_images(splits, origin))
    stacked = stack_splits([arrays for arrays, _ in decoded], origin)
    sets = [ImageSet(images, labels) for images, (_, labels) in zip(stacked, decoded, strict=True)]
    return decoded_data(sets, tuple(splits[0]), notes)


def _decode(by_class: FilesByClass, image_size: int | None) -> tuple[list[PixelArray], IndexArray]:
    arrays = decode_images([EncodedImage(str(path), path) for path in all_files([by_class])], image_size)
    counts = [len(files) for files in by_class.values()]
    return arrays, np.repeat(np.arange(len(counts), dtype=np.int64), counts)
