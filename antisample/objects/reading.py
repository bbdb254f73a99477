"""Images and labels of a data set that exists as an object: arrays, a torch Dataset or DataLoader, Hugging Face's."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler, SequentialSampler

from antisample.errors import DataError, in_one_line
from antisample.objects.items import (
    Pixels,
    image_array,
    images_array,
    is_images,
    label_of,
    labels_array,
    pair_of,
    same,
)
from antisample.seeds import undisturbed

READ_TWICE = 64
"""Items that are read twice, to find out whether a data set yields the same again."""

_LABEL_COLUMNS = ("label", "labels", "target", "targets", "class", "y", "fine_label")


@dataclass(frozen=True)
class ReadImages:
    """What a data set yielded.

    Attributes:
        images: uint8 or float32, [n, channels, height, width].
        labels: int64, [n].
        class_names: As the data set states them; empty where it does not.
        yields_the_same: Whether a second reading gives the same.
    """

    images: Pixels
    labels: npt.NDArray[np.int64]
    class_names: tuple[str, ...] = ()
    yields_the_same: bool = True


def read_images(data: Any, origin: str, *, by_samples: bool = False) -> ReadImages:
    """Reads a data set once, and up to 64 of its items twice.

    What it draws at random comes from fixed seeds, and torch's, NumPy's and Python's random states stay as they are.

    Args:
        data: A pair (images, labels) of arrays or tensors; a torch Dataset, or any sequence of pairs (image, label);
            a DataLoader, of which a shuffling one is read in the order of its data set; or a Hugging Face data set.
        origin: What it was given as, for messages.
        by_samples: Whether positions in it are meant, so that its order counts.

    Returns:
        Images and labels.

    Raises:
        DataError: If it is something else, or images or labels break a rule.
    """
    with undisturbed(torch.device("cpu"), seed=0):
        if isinstance(data, tuple | list) and len(data) == 2 and is_images(data[0]):
            read = ReadImages(images_array(data[0], origin), labels_array(data[1], origin))
        elif isinstance(data, DataLoader):
            read = _of_loader(data, origin, by_samples=by_samples)
        else:
            read = _of_items(data, origin)
    if len(read.images) != len(read.labels):
        raise DataError(
            f"{origin} must have a label for each image, but has {len(read.images)} images and "
            f"{len(read.labels)} labels."
        )
    if not len(read.labels):
        raise DataError(f"{origin} must hold images, but is empty.")
    return read


def _of_loader(loader: DataLoader[Any], origin: str, *, by_samples: bool) -> ReadImages:
    sampler = loader.sampler
    in_order = isinstance(sampler, SequentialSampler) and type(loader.batch_sampler) in (BatchSampler, type(None))
    if by_samples and not in_order:
        raise DataError(
            f"{origin} must have a fixed order if `samples` are to be forgotten, but is a DataLoader that shuffles. "
            "Give its data set (`loader.dataset`), whose positions `samples` are."
        )
    if isinstance(loader.dataset, IterableDataset):
        raise DataError(_unknown_length(origin, loader.dataset, f"{origin}.dataset"))
    if in_order or (isinstance(sampler, RandomSampler) and not sampler.replacement):
        loader = DataLoader(
            loader.dataset, loader.batch_size, collate_fn=loader.collate_fn, drop_last=loader.drop_last
        )
    again = all(
        same(first, second) for first, second in zip(_first_batches(loader), _first_batches(loader), strict=True)
    )
    images, labels = [], []
    for batch in loader:
        if loader.batch_size is None and loader.batch_sampler is None:
            image, label = pair_of(batch, origin)
            images.append(image_array(image, origin)[None])
            labels.append(np.array([label_of(label, origin)]))
        else:
            some, their_labels = pair_of(batch, origin)
            images.append(images_array(some, origin))
            labels.append(labels_array(their_labels, origin))
    _check_shapes((each.shape[1:] for each in images), origin)
    if not images:
        raise DataError(f"{origin} must hold images, but is empty.")
    return ReadImages(np.concatenate(images), np.concatenate(labels), _names(loader.dataset), again)


def _first_batches(loader: DataLoader[Any]) -> list[Any]:
    batches, n = [], 0
    for batch in loader:
        batches.append(batch)
        n += loader.batch_size or 1
        if n >= READ_TWICE:
            break
    return batches


def _of_items(data: Any, origin: str) -> ReadImages:
    items = _Items.of(data, origin)
    some = np.unique(np.linspace(0, max(0, len(items) - 1), READ_TWICE).astype(int))[: len(items)].tolist()
    again = all(same(items[position], items[position]) for position in some)
    images: Pixels | None = None
    labels = np.empty(len(items), np.int64)
    for position in range(len(items)):
        image, label = pair_of(items[position], origin)
        pixels = image_array(image, f"{origin}[{position}]")
        if images is None:
            images = np.empty((len(items), *pixels.shape), pixels.dtype)
        if pixels.shape != images.shape[1:] or pixels.dtype != images.dtype:
            raise DataError(
                f"{origin} must yield images of one shape and type, but {origin}[0] is {list(images.shape[1:])} "
                f"{images.dtype}, and {origin}[{position}] {list(pixels.shape)} {pixels.dtype}."
            )
        images[position] = pixels
        labels[position] = label_of(label, origin)
    if images is None:
        raise DataError(f"{origin} must hold images, but is empty.")
    return ReadImages(images, labels, items.class_names, again)


@dataclass(frozen=True)
class _Items(Sequence[Any]):
    """A data set as a sequence of pairs.

    Attributes:
        data: The data set.
        origin: What it was given as.
        columns: The columns of image and label of a Hugging Face data set.
        class_names: As the data set states them.
    """

    data: Any
    origin: str
    columns: tuple[str, str] | None = None
    class_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Any, origin: str) -> "_Items":
        if isinstance(data, str | os.PathLike):
            raise DataError(
                f"{origin} must be images in memory, but is the path {os.fspath(data)!r}; `antisample.unlearn` reads "
                "files."
            )
        if isinstance(data, Mapping):
            raise DataError(
                f"{origin} must be one data set, but is a dictionary with the keys {', '.join(map(repr, data))}; "
                "give one of its values."
            )
        if isinstance(data, IterableDataset) or (hasattr(data, "__iter__") and not hasattr(data, "__len__")):
            raise DataError(_unknown_length(origin, data))
        if not hasattr(data, "__getitem__") or is_images(data):
            raise DataError(
                f"{origin} must be a pair (images, labels), a Dataset, a DataLoader or a Hugging Face data set, but "
                f"is {_kind(data)}."
            )
        try:
            length = len(data)
        except (TypeError, NotImplementedError) as error:
            raise DataError(_unknown_length(origin, data)) from error
        if hasattr(data, "column_names") and hasattr(data, "features"):
            if not length:
                raise DataError(f"{origin} must hold images, but is empty.")
            columns = _columns(data, origin)
            names = getattr((data.features or {}).get(columns[1]), "names", None) or ()
            return cls(data, origin, columns, tuple(names))
        return cls(data, origin, None, _names(data))

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, position: Any) -> Any:
        try:
            item = self.data[position]
        except (Exception, SystemExit) as error:  # whatever a data set of the user's may raise
            raise DataError(f"{self.origin}[{position}] cannot be read: {in_one_line(error)}.") from error
        return item if self.columns is None else (item[self.columns[0]], item[self.columns[1]])


def _columns(data: Any, origin: str) -> tuple[str, str]:
    """The columns of image and label of a Hugging Face data set, by what its first row holds."""
    row, features = data[0], data.features or {}
    images = [name for name, value in row.items() if _is_image(value)]
    named = [name for name in row if getattr(features.get(name), "names", None)]
    labels = (named if len(named) == 1 else []) or [name for name in _LABEL_COLUMNS if name in row][:1]
    if len(images) != 1 or len(labels) != 1:
        raise DataError(
            f"{origin} must have one column of images and one of labels, but has {', '.join(map(repr, row))}; keep "
            "these two alone (`select_columns`), the labels named 'label'. Columns of lists become arrays with "
            "`with_format('numpy')`."
        )
    return images[0], labels[0]


def _is_image(value: Any) -> bool:
    return isinstance(value, Image.Image) or (isinstance(value, Tensor | np.ndarray) and value.ndim in (2, 3))


def _names(data: Any) -> tuple[str, ...]:
    """The class names that torchvision's data sets state."""
    names = getattr(data, "classes", None)
    is_list = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    return tuple(names) if is_list and names is not None else ()


def _check_shapes(shapes: Iterable[tuple[int, ...]], origin: str) -> None:
    different = list(dict.fromkeys(shapes))
    if len(different) > 1:
        raise DataError(
            f"{origin} must yield images of one shape, but yields {list(different[0])} and {list(different[1])}."
        )


def _unknown_length(origin: str, data: Any, expression: str | None = None) -> str:
    whole = f"list({expression or origin})"
    if hasattr(data, "column_names"):
        whole = f"datasets.Dataset.from_list({whole})"
    return (
        f"{origin} must have a length, but is a data set of unknown length; read it into memory first: "
        f"`{origin} = {whole}`."
    )


def _kind(data: Any) -> str:
    return "an array alone" if is_images(data) else f"of type {type(data).__name__}"


def batches_of(images: Pixels, size: int = 4096) -> Iterator[Pixels]:
    """Consecutive parts of images."""
    return (images[start : start + size] for start in range(0, len(images), size))
