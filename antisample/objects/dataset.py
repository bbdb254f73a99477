"""Data sets in memory as one `Dataset`: all images of one kind, and the normalisation that turns them into input."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from antisample.datasets.cache import fingerprint
from antisample.datasets.config import IN_MEMORY
from antisample.datasets.source import DecodedData, refuse_class_names
from antisample.errors import DataError
from antisample.objects.keeping import kept_images
from antisample.objects.levels import pixel_levels, to_pixels, unchanged
from antisample.objects.reading import ReadImages, read_images
from antisample.storage.cache import Cache
from antisample.types import Dataset, ImageSet, Preprocessing

_FOLDER = "objects"


@dataclass(frozen=True)
class ObjectData:
    """Data sets as they were read.

    Attributes:
        train: Training images.
        test: Test images.
        validation: Validation images, where there are any beside these.
        preprocessing: What turns the images into the model's input; None where images are pixels as they were given,
            whose normalisation is still to be known.
        class_names: As the training images state them, or as they were given; empty where nothing does.
        notes: What people should know, in sentences.
    """

    train: ImageSet
    test: ImageSet
    validation: ImageSet | None
    preprocessing: Preprocessing | None
    class_names: tuple[str, ...]
    notes: tuple[str, ...]

    def dataset(self, n_classes: int) -> Dataset:
        """The data as the core takes it.

        Args:
            n_classes: How many classes the model tells apart.

        Raises:
            DataError: If labels or class names do not fit these classes.
        """
        names = self.class_names or tuple(map(str, range(n_classes)))
        if len(names) != n_classes:
            raise DataError(
                f"There must be a class name for each of the {n_classes} outputs of the model, but got {len(names)} "
                f"({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})."
            )
        refuse_class_names(names, "train")
        decoded = DecodedData(self.train, self.test, names, self.validation, self.notes)
        for split, images in decoded.splits().items():
            largest = int(images.labels.max())
            if largest >= n_classes:
                raise DataError(
                    f"The labels of {split} must be from 0 to {n_classes - 1}, since the model has {n_classes} "
                    f"outputs, but one is {largest}."
                )
            absent = np.setdiff1d(np.arange(n_classes), images.labels)
            if len(absent) and split != "validation":
                listed = ", ".join(map(str, absent[:5]))
                raise DataError(
                    f"{split} must hold images of each of the {n_classes} classes that the model tells apart, but "
                    f"holds none with the label {listed}."
                )
        return Dataset(IN_MEMORY, self.train, self.test, names, fingerprint(decoded), self.validation, self.notes)


def read_objects(
    train: Any,
    test: Any,
    validation: Any,
    cache_dir: Path | str,
    class_names: Sequence[str] | None = None,
    *,
    by_samples: bool = False,
) -> ObjectData:
    """Reads the data sets; see `read_images`.

    Floats that are normalised 8-bit pixels become pixels again; see `pixel_levels`. A data set that yields something
    else on a second reading is written to `objects/` in `cache_dir`, once, and a warning says so.

    Raises:
        DataError: If one of them cannot be read, or they do not go together.
    """
    given = {"train": train, "test": test, "validation": validation}
    read = {
        name: read_images(data, name, by_samples=by_samples and name == "train")
        for name, data in given.items()
        if name != "validation" or data is not None
    }
    _check_alike(read)
    notes: list[str] = []
    for name, each in read.items():
        if not each.yields_the_same:
            read[name], path = kept_images(each, Cache.at(cache_dir).folder / _FOLDER)
            notes.append(
                f"{name} yields other images each time it is read (random transforms?). It was read once, and what "
                f"it yielded is what everything here was computed on; it is kept as {path.name}."
            )
            warnings.warn(f"{notes[-1]} The file is in {path.parent}.", stacklevel=4)
    images, preprocessing = [each.images for each in read.values()], None
    if images[0].dtype != np.uint8:
        preprocessing = pixel_levels(images)
        if preprocessing is None:
            preprocessing = unchanged(images[0].shape[1])
        else:
            levels = preprocessing
            read = {name: replace(each, images=to_pixels(each.images, levels)) for name, each in read.items()}
    sets = {name: ImageSet(each.images, each.labels) for name, each in read.items()}
    names = tuple(class_names) if class_names is not None else read["train"].class_names
    return ObjectData(sets["train"], sets["test"], sets.get("validation"), preprocessing, names, tuple(notes))


def _check_alike(read: dict[str, ReadImages]) -> None:
    first = read["train"].images
    for name, each in read.items():
        if each.images.shape[1:] != first.shape[1:]:
            raise DataError(
                f"train and {name} must hold images of one shape, but got {list(first.shape[1:])} and "
                f"{list(each.images.shape[1:])}."
            )
        if each.images.dtype != first.dtype:
            raise DataError(
                f"train and {name} must hold images of one type, but got {first.dtype} and {each.images.dtype}; "
                "floats are what the model is given, whole numbers are pixels that are still to be normalised."
            )
