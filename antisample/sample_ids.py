"""Sample ids from a file: text, CSV or Parquet."""

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from antisample.errors import DataError

_COLUMNS = ("sample", "samples", "id", "index")
_LONGEST_LIST = 5


def read_sample_ids(path: Path) -> list[int]:
    """Reads ids of training images: positions in the training split, from 0.

    Args:
        path: A Parquet file, a CSV file, or else a text of numbers between spaces, commas or ends of lines, where `#`
            begins a remark. Of several columns the one named `sample`, `samples`, `id` or `index` counts.

    Returns:
        The ids in the order of the file.

    Raises:
        DataError: If the file cannot be read, holds no ids, or holds something else in their place.
    """
    if not path.is_file():
        raise DataError(f"{path}: the file of sample ids does not exist.")
    read = {".parquet": _from_parquet, ".csv": _from_csv}.get(path.suffix.lower(), _from_text)
    try:
        cells = read(path)
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as a file of sample ids ({error}).") from error
    wrong = [cell for cell in cells if not cell.isdecimal()]
    if wrong:
        shown = ", ".join(map(repr, wrong[:_LONGEST_LIST])) + (", ..." if len(wrong) > _LONGEST_LIST else "")
        raise DataError(f"{path}: sample ids must be whole numbers of at least 0, but got {shown}.")
    if not cells:
        raise DataError(f"{path}: must hold at least one sample id, but got none.")
    return [int(cell) for cell in cells]


def _from_text(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [word for line in lines for word in line.partition("#")[0].replace(",", " ").split()]


def _from_csv(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if any(row)]
    if not rows:
        return []
    headed = not all(cell.isdecimal() for cell in rows[0])
    at = _column(path, rows[0] if headed else [""] * len(rows[0]))
    return [row[at] if at < len(row) else "" for row in rows[headed:]]


def _from_parquet(path: Path) -> list[str]:
    table = pq.read_table(path)
    return [str(value) for value in table.column(_column(path, table.column_names)).to_pylist()]


def _column(path: Path, names: list[str]) -> int:
    """The position of the column that holds the ids."""
    found = [at for at, name in enumerate(names) if name.lower() in _COLUMNS]
    if not found and len(names) > 1:
        raise DataError(f"{path}: of several columns one must be named {' or '.join(_COLUMNS)}, but got {names}.")
    return found[0] if found else 0
