"""The same images twice: a data set that was copied into itself, or a split that is a copy of another one."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, permutations
from pathlib import Path

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
                raise DataError(f"{name}: all of its {inner.total()} rows are in {other}, too; remove one of them.")
    for first, second in combinations(counts, 2):
        _refuse_equal(first, second)
        _refuse_equal(_joined(first), _joined(second))


def _refuse_equal(files: _Counts, others: _Counts) -> None:
    by_rows = {frozenset(rows.items()): name for name, rows in files.items()}
    for name, rows in others.items():
        same = by_rows.get(frozenset(rows.items()))
        if same is not None and rows.total() >= _FEWEST:
            raise DataError(
                f"{name}: holds the same {rows.total()} images as {same}, but splits must differ; remove one of them."
            )


def _joined(files: _Counts) -> _Counts:
    return {" and ".join(files): sum(files.values(), Counter[bytes]())}


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
