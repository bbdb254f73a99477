"""The same images twice: a data set that was copied into itself, or a split that is a copy of another one."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, permutations
from pathlib import Path

from antisample.datasets.split_names import ORDER
from antisample.errors import DataError

_Counts = dict[str, Counter[bytes]]

# One image alone proves nothing: a few images that occur twice are normal in published data sets.
_FEWEST = 2


def digest_of(content: bytes) -> bytes:
    """What tells one encoded image from another."""
    return hashlib.blake2b(content, digest_size=16).digest()


def refuse_same_rows(splits: Sequence[Mapping[str, Sequence[bytes]]]) -> None:
    """Refuses files of a split whose rows all occur in another one of it, and splits or files with the same rows.

    Args:
        splits: For each split, the digests of the rows by file.

    Raises:
        DataError: With the names of both files.
    """
    counts = [{name: Counter(digests) for name, digests in files.items()} for files in splits]
    for files in counts:
        for (name, inner), (other, outer) in permutations(files.items(), 2):
            if inner.total() >= _FEWEST and inner <= outer:
                raise DataError(f"{name}: all of its {inner.total()} rows are also in {other}; remove one of them.")
    for first, second in combinations(counts, 2):
        _refuse_equal(first, second)
        _refuse_equal(_joined(first), _joined(second))


def _refuse_equal(files: _Counts, others: _Counts) -> None:
    by_rows = {frozenset(rows.items()): name for name, rows in files.items()}
    for name, rows in others.items():
        same = by_rows.get(frozenset(rows.items()))
        if same is not None and rows.total() >= _FEWEST:
            raise DataError(
                f"{name}: has the same {rows.total()} images as {same}, but splits must differ; remove one of them."
            )


def _joined(files: _Counts) -> _Counts:
    return {" and ".join(files): sum(files.values(), Counter[bytes]())}


def refuse_same_images(splits: Sequence[Mapping[str, Sequence[Path]]], origin: str) -> tuple[str, ...]:
    """Refuses classes that hold the same images, and splits whose images all stand in another one.

    Args:
        splits: For each split, in the order train, test, validation, the image files by class.
        origin: What holds them, for the message.

    Returns:
        A sentence for each two splits that have some images in common.

    Raises:
        DataError: With the names of both.
        OSError: If a file cannot be read.
    """
    contents = _contents([file for by_class in splits for files in by_class.values() for file in files])
    for by_class in splits:
        folders: dict[frozenset[tuple[bytes, int]], Path] = {}
        for files in by_class.values():
            images = Counter(contents[file] for file in files)
            first = folders.setdefault(frozenset(images.items()), files[0].parent)
            if first != files[0].parent and len(files) >= _FEWEST:
                raise DataError(
                    f"{files[0].parent}: has the same {len(files)} images as {first}, but classes must differ; "
                    "remove one of them."
                )
    return refuse_contained_splits(
        [[contents[file] for files in by_class.values() for file in files] for by_class in splits], origin
    )


def refuse_contained_splits(splits: Sequence[Sequence[bytes]], origin: str) -> tuple[str, ...]:
    """Refuses test or validation images that all stand in another split.

    Args:
        splits: For each split, in the order train, test, validation, the digests of its images.
        origin: What holds them, for the message.

    Returns:
        A sentence for each two splits that have some images in common.

    Raises:
        DataError: With the number of images.
    """
    notes = []
    for (name, outer), (other, inner) in combinations(zip(ORDER, splits, strict=False), 2):
        images = set(outer)
        count = sum(image in images for image in inner)
        if count == len(inner) >= _FEWEST:
            raise DataError(
                f"{origin}: all {count} {other} images are also in the {name} split, but splits must differ; "
                f"remove the {other} split, or replace its images."
            )
        if count:
            verb = "is" if count == 1 else "are"
            notes.append(f"{count} of the {len(inner)} {other} images {verb} also in the {name} split.")
    return tuple(notes)


def _contents(files: Sequence[Path]) -> dict[Path, bytes]:
    """What tells the content of each file from that of the others; those of a size of their own are not read."""
    sizes = {file: file.stat().st_size for file in files}
    count = Counter(sizes.values())
    return {
        file: digest_of(file.read_bytes()) if count[size] > 1 else f"{size} bytes".encode()
        for file, size in sizes.items()
    }


def refuse_same_folders(folders: Iterable[Path]) -> None:
    """Refuses folders that are one and the same, under two names by way of a link.

    Raises:
        DataError: With both names.
    """
    places: dict[Path, Path] = {}
    for folder in folders:
        first = places.setdefault(folder.resolve(), folder)
        if first != folder:
            raise DataError(f"{folder}: is the same folder as {first}; remove one of them.")
