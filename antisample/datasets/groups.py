"""All images of a group, such as a person, by a column of the data or by a file beside the images."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from antisample.data.class_names import near_names
from antisample.datasets import resolve_source
from antisample.datasets.casia_webface import CasiaWebFace
from antisample.datasets.drawn_split import TestDraw
from antisample.datasets.image_folder import GROUPS_FILE, FilesByClass, ImageFolder, all_files
from antisample.datasets.parquet import ParquetFolder
from antisample.datasets.split_names import ORDER
from antisample.errors import ConfigError, DataError
from antisample.storage.regular_files import read_regular
from antisample.types import IndexArray, SplitName
from antisample.validation.spelling import did_you_mean

_MOST_BYTES = 256_000_000
_FILE = "file"

_Cells = dict[SplitName, list[str | None]]


@dataclass(frozen=True)
class GroupImages:
    """The images of a group.

    Attributes:
        positions: By split, their positions, ascending; of the training split, at least one.
        notes: What there is to say about images whose group is not known, whole sentences.
    """

    positions: Mapping[SplitName, IndexArray]
    notes: tuple[str, ...] = ()


def group_images(
    source: str,
    root: Path | None,
    column: str,
    values: Sequence[str],
    *,
    test_fraction: float | None = None,
    split_seed: int = 0,
) -> GroupImages:
    """Finds all images of one or several groups, whatever their class.

    Args:
        source: As `load_dataset` takes it: Parquet files with such a column, or a folder of images with a file
            `groups.csv` in it. That file has a column `file`, with paths such as `train/cat/001.png` (`train/` may be
            left out), and one or several others, such as `group`.
        root: As `load_dataset` takes it.
        column: The column, of whole numbers or text.
        values: What the images have in this column; whole numbers are compared as they are usually written.
        test_fraction: As `load_dataset` takes it.
        split_seed: Likewise.

    Returns:
        The images of all splits.

    Raises:
        ConfigError: If there is no such column, or no training image has a value.
        DataError: If the column or the file cannot be used.
    """
    name, loader = resolve_source(source, root, download=False)
    if isinstance(loader, ParquetFolder):
        cells, labels, class_names = loader.cells(column)
    elif isinstance(loader, ImageFolder | CasiaWebFace):
        folder = loader.root.expanduser() if loader.root is not None else Path()
        splits = loader.splits()
        cells = _listed(folder, column, splits)
        class_names = tuple(splits[0])
        labels = np.repeat(np.arange(len(class_names)), [len(files) for files in splits[0].values()])
    else:
        raise ConfigError(
            f"`forget.column` needs Parquet files, or an image folder with a file `{GROUPS_FILE}`, but {name} is "
            "neither; name the images by position with `forget.samples`."
        )
    if test_fraction is not None:
        train, test = TestDraw(test_fraction, split_seed).positions(labels, class_names)
        every = cells["train"]
        cells = {"train": [every[i] for i in train], "test": [every[i] for i in test]}
    _check_values(values, column, cells)
    positions = {
        split: np.flatnonzero([cell in set(values) for cell in of_split]) for split, of_split in cells.items()
    }
    return GroupImages(positions, _notes(column, cells))


def _check_values(values: Sequence[str], column: str, cells: _Cells) -> None:
    """Raises ConfigError with each value that no training image has, and what may have been meant."""
    present = sorted({cell for cell in cells["train"] if cell is not None})
    elsewhere = {cell: split for split, of_split in cells.items() for cell in of_split if cell is not None}
    problems = []
    for value in values:
        if value in present:
            continue
        near = near_names(value, present)
        if value in elsewhere and value not in present:
            hint = f"; only images of the {elsewhere[value]} split have it, which the model has not seen."
        elif near:
            hint = f"; did you mean {' or '.join(map(repr, near))}?"
        else:
            some = ", ".join(map(repr, present[:5])) + (f" and {len(present) - 5} more" if len(present) > 5 else "")
            hint = f"; its values are {some}." if present else "; it holds none."
        problems.append(
            f"`forget.value` must be in the column {column!r} of the training images, but got {value!r}{hint}"
        )
    if problems:
        raise ConfigError(problems)


def _notes(column: str, cells: _Cells) -> tuple[str, ...]:
    """Sentences about images whose group nobody states."""
    return tuple(
        f"{of_split.count(None):,} of the {len(of_split):,} {split} images have no value in the column {column!r}."
        for split, of_split in cells.items()
        if None in of_split
    )


def _listed(folder: Path, column: str, splits: Sequence[FilesByClass]) -> _Cells:
    """The values of a column of `groups.csv`, for the images of each split in their order."""
    path = folder / GROUPS_FILE
    rows = _rows(path)
    header = rows[0] if rows else []
    twice = [name for name in header if header.count(name) > 1]
    if twice or _FILE not in header or len(header) < 2:
        raise DataError(
            f"{path}: the first line must name a column `{_FILE}` and one such as `group`, each once, but got "
            f"{', '.join(map(repr, header)) or 'nothing'}."
        )
    groups = [name for name in header if name != _FILE]
    if column not in groups:
        raise ConfigError(
            f"`forget.column` must be a column of {path}, one of {', '.join(groups)}, but got {column!r}."
            f"{did_you_mean(column, groups)}"
        )
    places = _places(folder, splits)
    cells: _Cells = {split: [None] * len(all_files([files])) for split, files in zip(ORDER, splits, strict=False)}
    lines: dict[tuple[SplitName, int], int] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise DataError(f"{path}, line {line}: must hold {len(header)} values, but got {len(row)}.")
        file = row[header.index(_FILE)]
        place = places.get(file.removeprefix("./"))
        if place is None:
            raise DataError(
                f"{path}, line {line}: must name an image in {folder}, such as {next(iter(places))}, but got "
                f"{file!r}.{did_you_mean(file, places)}"
            )
        if place in lines:
            raise DataError(f"{path}, line {line}: {file!r} must be named once, but is in line {lines[place]} too.")
        lines[place] = line
        split, position = place
        cells[split][position] = row[header.index(column)] or None
    return cells


def _rows(path: Path) -> list[list[str]]:
    """The lines of a CSV file, without blanks around values."""
    if not path.is_file():
        raise DataError(
            f"{path}: does not exist, but `forget.column` needs it, a CSV file with columns `{_FILE}` and `group`."
        )
    try:
        text = read_regular(path, most=_MOST_BYTES).decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        return [[cell.strip() for cell in row] for row in rows]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV ({error}).") from error


def _places(folder: Path, splits: Sequence[FilesByClass]) -> dict[str, tuple[SplitName, int]]:
    """Split and position of each image, by its path in the folder, and of training images by class and file, too."""
    places: dict[str, tuple[SplitName, int]] = {}
    for split, by_class in zip(ORDER, splits, strict=False):
        for position, file in enumerate(all_files([by_class])):
            places[file.relative_to(folder).as_posix()] = (split, position)
            if split == "train":
                places.setdefault(f"{file.parent.name}/{file.name}", (split, position))
    return places
