"""Parquet files in the image layout of Hugging Face."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from antisample.datasets.copies import digest_of, refuse_contained_splits, refuse_same_rows
from antisample.datasets.parquet_columns import UNLABELLED, ImageFile
from antisample.datasets.parquet_layout import ParquetLayout, parquet_layout
from antisample.datasets.pixels import PixelArray, decode_images, stack_splits
from antisample.datasets.source import DecodedData, decoded_data, file_identity
from antisample.datasets.split_names import uses_of_splits
from antisample.errors import ConfigError, DataError
from antisample.types import ImageSet, IndexArray, SplitName
from antisample.validation.spelling import did_you_mean

_Labels = dict[SplitName, list[IndexArray]]


@dataclass(frozen=True)
class ParquetFolder:
    """Files such as `train-00000-of-00001.parquet`, `data/test.parquet` or `default/validation/0000.parquet`.

    Images stand in a column `image` or `img`, struct<bytes: binary, path: string>; labels in an integer
    column `label`, `labels` or `fine_label`. Class names come from the `huggingface` metadata of the schema;
    without it, classes are named by their number. Rows of test and validation without a label (-1 or null) are left
    out. Without test rows, test images can be drawn from the training split.

    Attributes:
        root: The folder, or a single file of training images.
    """

    root: Path

    def identity(self) -> Sequence[str]:
        """Lists the files.

        Returns:
            Path, size and time of change of every file, and what there is to say about the layout.

        Raises:
            DataError: If there are no files for training; see `parquet_layout`.
        """
        files = [path for paths in self.layout.files.values() for path in paths]
        folder = self.root.parent if self.root.is_file() else self.root
        notes = (*uses_of_splits(self.layout.words)[1], *self.layout.notes)
        return ["parquet", *file_identity(folder, files), *notes]

    @cached_property
    def layout(self) -> ParquetLayout:
        """Which file is of which split; see `parquet_layout`."""
        return parquet_layout(self.root)

    def has_test_split(self) -> bool:
        """Whether there are test rows, labelled or not."""
        return len(self.layout.files) > 1

    def decode(self, image_size: int | None) -> DecodedData:
        """Decodes all images, one record batch after the other; see `DatasetSource.decode`."""
        files = {split: [ImageFile.open(path) for path in paths] for split, paths in self.layout.files.items()}
        names = _class_names([file for opened in files.values() for file in opened])
        labels: _Labels = {split: [file.labels(names) for file in files[split]] for split in files}
        _refuse_unlabelled(files["train"], labels["train"], names)
        notes = self._leave_out_unlabelled(labels)
        uses, said = uses_of_splits({split: self.layout.words[split] for split in labels})
        names = names or self._numbers(labels)
        decoded = [_decode(files[split], labels[split], image_size) for split in uses.values()]
        refuse_same_rows([rows for _, rows in decoded])
        notes += refuse_contained_splits([list(chain(*rows.values())) for _, rows in decoded], str(self.root))
        stacked = stack_splits([arrays for arrays, _ in decoded], str(self.root))
        every = (np.concatenate(labels[split]) for split in uses.values())
        sets = [ImageSet(images, each[each != UNLABELLED]) for images, each in zip(stacked, every, strict=True)]
        return decoded_data(sets, names, (*said, *self.layout.notes, *notes))

    def cells(self, column: str) -> tuple[dict[SplitName, list[str | None]], IndexArray, tuple[str, ...]]:
        """Reads the column that says which group an image belongs to, for the rows that `decode` decodes.

        Args:
            column: Its name.

        Returns:
            By use, the value of each image as text, None where it has none. Then the labels of the training images,
            and the class names.

        Raises:
            ConfigError: If the training files have no such column.
            DataError: As `decode` does, and if the column holds neither whole numbers nor text.
        """
        files = {split: [ImageFile.open(path) for path in paths] for split, paths in self.layout.files.items()}
        names = _class_names([file for opened in files.values() for file in opened])
        labels: _Labels = {split: [file.labels(names) for file in files[split]] for split in files}
        self._leave_out_unlabelled(labels)
        uses, _ = uses_of_splits({split: self.layout.words[split] for split in labels})
        of_use: dict[SplitName, list[str | None]] = {}
        for use, split in uses.items():
            columns = [file.cells(column) for file in files[split]]
            if use == "train" and None in columns:
                first = files[split][columns.index(None)]
                others = [name for name in first.file.schema_arrow.names if name != first.image]
                raise ConfigError(
                    f"`forget.column` must be a column of {first.path}, one of {', '.join(others)}, but got "
                    f"{column!r}.{did_you_mean(column, others)}"
                )
            every = zip(columns, labels[split], strict=True)
            values = chain(*(cells if cells is not None else [None] * len(each) for cells, each in every))
            rows = zip(values, np.concatenate(labels[split]), strict=True)
            of_use[use] = [cell for cell, label in rows if label != UNLABELLED]
        return of_use, np.concatenate(labels["train"]), names or self._numbers(labels)

    def _leave_out_unlabelled(self, labels: _Labels) -> list[str]:
        """Drops splits without any label, and counts the rows of others that are left out."""
        notes = []
        for split, word in self.layout.words.items():
            every = np.concatenate(labels[split])
            count = int((every == UNLABELLED).sum())
            if count == len(every) > 0:
                del labels[split]
                notes.append(f"All {count} rows of `{word}` are unlabelled (-1), so it is ignored.")
            elif count:
                notes.append(f"{count} of {len(every)} rows of `{word}` are unlabelled (-1) and ignored.")
        for split, each in labels.items():
            if not sum(map(len, each)):
                raise DataError(f"{self.layout.files[split][0]}: every split must hold at least 1 image, but got 0.")
        return notes

    def _numbers(self, labels: _Labels) -> tuple[str, ...]:
        """Names of classes that have none: their numbers."""
        highest = max(int(each.max(initial=0)) for split in labels.values() for each in split)
        rows = sum(map(len, labels["train"]))
        if highest >= rows:
            raise DataError(
                f"{self.root}: every class must have a training image, but got label {highest} "
                f"and {rows} training images."
            )
        return tuple(map(str, range(highest + 1)))


def _class_names(files: Sequence[ImageFile]) -> tuple[str, ...] | None:
    by_file = {file.path: file.class_names() for file in files}
    first = by_file[files[0].path]
    for path, names in by_file.items():
        if names != first:
            raise DataError(f"{path}: class names must be those of {files[0].path.name}, {first}, but got {names}.")
    return first


def _decode(
    files: Sequence[ImageFile], labels: Sequence[IndexArray], image_size: int | None
) -> tuple[list[PixelArray], dict[str, list[bytes]]]:
    """Decodes the labelled rows of a split; also returns their digests by file."""
    arrays: list[PixelArray] = []
    rows: dict[str, list[bytes]] = {}
    for file, each in zip(files, labels, strict=True):
        digests = rows.setdefault(str(file.path), [])
        for encoded in file.images(each != UNLABELLED):
            digests += [digest_of(image.content) for image in encoded if isinstance(image.content, bytes)]
            arrays += decode_images(encoded, image_size)
    return arrays, rows


def _refuse_unlabelled(
    files: Sequence[ImageFile], labels: Sequence[IndexArray], names: tuple[str, ...] | None
) -> None:
    """Raises DataError if training rows have no label."""
    count = sum(int((each == UNLABELLED).sum()) for each in labels)
    for file, each in zip(files, labels, strict=True):
        if (each == UNLABELLED).any():
            total = sum(map(len, labels))
            raise file.wrong_label(
                int(np.flatnonzero(each == UNLABELLED)[0]),
                names,
                f"; {count} of {total} training rows are unlabelled, and only test and validation may hold such rows",
            )
