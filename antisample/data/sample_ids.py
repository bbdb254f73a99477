"""Sample ids from a file: text, CSV or Parquet."""

import csv
import io
from numbers import Integral
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from antisample.errors import DataError
from antisample.storage.regular_files import read_regular

_MOST_BYTES = 64_000_000
_COLUMNS = ("sample", "samples", "id", "index", "file")


def read_sample_ids(path: Path) -> list[int | str]:
    """Reads which training images are meant: positions in the training split, from 0, or files of an image folder.

    Args:
        path: A Parquet file, a CSV file, or else a text with numbers between spaces, commas or ends of lines, or with
            a file a line; `#` begins a remark. Of several columns the one named `sample`, `samples`, `id`, `index` or
            `file` counts.

    Returns:
        Positions and files in the order of the list.

    Raises:
        DataError: If the file cannot be read, or holds nothing.
    """
    if not path.is_file():
        raise DataError(f"{path}: the file of sample ids does not exist.")
    read = {".parquet": _from_parquet, ".csv": _from_csv}.get(path.suffix.lower(), _from_text)
    try:
        cells = read(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read as a file of sample ids ({error.strerror or error}).") from error
    except (UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as a file of sample ids ({error}).") from error
    if not cells:
        raise DataError(f"{path}: must hold at least one sample id, but got none.")
    if "" in cells:
        raise DataError(f"{path}: every row must hold a sample id, but row {cells.index('') + 1} holds none.")
    return [int(cell) if cell.isascii() and cell.isdecimal() else cell for cell in cells]


def checked_sample_ids(samples: Any) -> Any:
    """Positions and files as a configuration gives them.

    Args:
        samples: A sequence or an array; whatever else is left for others to refuse.

    Returns:
        Whole numbers, and files as they were written.

    Raises:
        ValueError: If one is neither: a boolean or a float is no position, nor is a number with leading zeros, which
            is octal to YAML and decimal to people.
    """
    values = samples.tolist() if hasattr(samples, "tolist") else samples
    return [_checked(value) for value in values] if isinstance(values, list | tuple | set | range) else values


def _checked(value: Any) -> int | str:
    text = str(value)
    digits = text.removeprefix("-")
    if isinstance(value, bool) or not isinstance(value, str | Integral) or not text:
        raise ValueError(f"must be positions or files, but got {value!r} ({type(value).__name__})")
    if not (digits.isascii() and digits.isdecimal()):
        return text
    if digits != text:
        raise ValueError(f"must be positions of at least 0 or files, but got {text}")
    if digits != "0" and digits[0] == "0":
        raise ValueError(f"must be positions without leading zeros or files, but got {text!r}")
    return int(text)


def _read(path: Path) -> bytes:
    return read_regular(path, most=_MOST_BYTES)


def _from_text(path: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in _read(path).decode().splitlines())
    cells: list[str] = []
    for line in filter(None, lines):
        words = line.replace(",", " ").split()
        cells += words if all(word.isdecimal() for word in words) else [line]
    return cells


def _from_csv(path: Path) -> list[str]:
    file = io.StringIO(_read(path).decode("utf-8-sig"), newline="")
    rows = [[cell.strip() for cell in row] for row in csv.reader(file) if any(row)]
    if not rows:
        return []
    headed = any(cell.lower() in _COLUMNS for cell in rows[0])
    at = _column(path, rows[0])
    return [row[at] if at < len(row) else "" for row in rows[headed:]]


def _from_parquet(path: Path) -> list[str]:
    table = pq.read_table(io.BytesIO(_read(path)))
    values = table.column(_column(path, table.column_names)).to_pylist()
    return ["" if value is None else str(value) for value in values]


def _column(path: Path, names: list[str]) -> int:
    """The position of the column that holds the ids."""
    positions = [at for at, name in enumerate(names) if name.lower() in _COLUMNS]
    if not positions and len(names) > 1:
        raise DataError(f"{path}: of several columns one must be named {' or '.join(_COLUMNS)}, but got {names}.")
    return positions[0] if positions else 0
