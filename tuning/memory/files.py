"""Memory as one Parquet file: a row for each trial of earlier studies, with where it comes from."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field
from typing_extensions import TypedDict

import antisample
from antisample.errors import DataError
from antisample.storage.atomic import atomic_write
from antisample.storage.regular_files import read_regular
from tuning.memory.evidence import EarlierStudy, EarlierTrial, Request, is_usable, kept
from tuning.trials.value_types import STRICT, Counts, Figures, StrictModel, Text, Whole, adapter_of, misfit

VERSION = 1
"""Of the format; files of later ones are refused."""
_KEY = b"antisample_memory"
_MOST_BYTES, _MOST_UNPACKED, _MOST_ROWS = 50_000_000, 500_000_000, 200_000


class _About(StrictModel):
    version: int = Field(ge=1)
    antisample: Text = ""
    origin: Text = ""


class Row(TypedDict):
    """A trial with its study, as a row has it; `values`, `metrics` and `counts` are JSON."""

    __pydantic_config__ = STRICT  # type: ignore[misc]

    study: Text
    method: Text
    model: Text
    architecture: Text
    data: Text
    forget: Text
    by_samples: bool
    forgotten: Text
    original: float | None
    number: Whole
    allowed: bool
    values: Text
    metrics: Text
    counts: Text


_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("study", "method", "model", "architecture", "data", "forget")),
        ("by_samples", pa.bool_()),
        ("forgotten", pa.string()),
        ("original", pa.float64()),
        ("number", pa.int64()),
        ("allowed", pa.bool_()),
        *((name, pa.string()) for name in ("values", "metrics", "counts")),
    ]
)
_ROW, _ABOUT = adapter_of(Row), adapter_of(_About)
_VALUES, _FIGURES, _COUNTS = (
    adapter_of(dict[Text, bool | int | float | Text]),
    adapter_of(Figures),
    adapter_of(Counts),
)


def write_memory(studies: Sequence[EarlierStudy], path: Path, origin: str = "") -> None:
    """Writes what studies tell, in one step.

    Args:
        studies: What to write.
        path: Where to.
        origin: Where it comes from, in words; kept in the file.

    Raises:
        DataError: If it cannot be written.
    """
    rows = [_row(study, trial) for study in studies for trial in study.trials]
    about = {"version": VERSION, "antisample": antisample.__version__, "origin": origin}
    table = pa.Table.from_pylist(rows, _SCHEMA.with_metadata({_KEY: json.dumps(about).encode()}))
    with atomic_write(path) as unfinished:
        pq.write_table(table, unfinished, compression="zstd")


def read_memory(path: Path) -> tuple[tuple[EarlierStudy, ...], str]:
    """Reads a memory file; nothing in it is run or imported.

    Args:
        path: Of the file.

    Returns:
        Its studies, and where they come from, in words.

    Raises:
        DataError: If it cannot be read, is no memory file, is damaged, or is of a newer version.
    """
    try:
        content = read_regular(path, most=_MOST_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        about = _about(file, path)
        groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
        if file.metadata.num_rows > _MOST_ROWS or sum(group.total_byte_size for group in groups) > _MOST_UNPACKED:
            raise DataError(f"{path}: a memory file has at most {_MOST_ROWS:,} trials, but this one has more.")
        rows = file.read().to_pylist()
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:  # OSError: Arrow's, of damaged pages
        raise DataError(f"{path}: not readable as a memory file; it is damaged or of another kind.") from error
    studies: dict[tuple[Any, ...], list[EarlierTrial]] = {}
    for position, row in enumerate(rows):
        problem = misfit(_ROW, row)
        try:
            if problem is not None:
                raise ValueError(problem)
            trial = _trial(row)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: row {position} is damaged ({error}).") from error
        if is_usable(trial):
            studies.setdefault(_study_key(row), []).append(trial)
    return tuple(_study(key, trials) for key, trials in studies.items()), about.origin


def _about(file: pq.ParquetFile, path: Path) -> _About:
    """What the file says of itself."""
    said = (file.schema_arrow.metadata or {}).get(_KEY)
    if said is None:
        raise DataError(f"{path}: holds no memory of studies; `antisample memory export` writes such a file.")
    values = json.loads(said)
    problem = misfit(_ABOUT, values)
    if problem is not None:
        raise DataError(f"{path}: the memory file is damaged ({problem}).")
    about = _About.model_validate(values)
    if about.version > VERSION:
        raise DataError(
            f"{path}: the memory file has the format {about.version} of a newer version of antisample; this version "
            f"reads formats up to {VERSION}."
        )
    return about


def _row(study: EarlierStudy, trial: EarlierTrial) -> dict[str, Any]:
    request = study.request
    return {
        **vars(request),
        "study": study.name,
        "method": study.method,
        "forgotten": study.forgotten,
        "original": study.original,
        "number": trial.number,
        "allowed": trial.allowed,
        "values": json.dumps(trial.values, sort_keys=True),
        "metrics": json.dumps(trial.metrics, sort_keys=True),
        "counts": json.dumps(trial.counts, sort_keys=True),
    }


_OF_STUDY = ("study", "method", "model", "architecture", "data", "forget", "by_samples", "forgotten", "original")


def _study_key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _OF_STUDY)


def _study(key: tuple[Any, ...], trials: list[EarlierTrial]) -> EarlierStudy:
    row = dict(zip(_OF_STUDY, key, strict=True))
    request = Request(row["model"], row["architecture"], row["data"], row["forget"], row["by_samples"])
    return EarlierStudy(row["study"], row["method"], request, row["forgotten"], row["original"], tuple(trials))


def _trial(row: Mapping[str, Any]) -> EarlierTrial:
    parts = {name: json.loads(row[name]) for name in ("values", "metrics", "counts")}
    for name, adapter in (("values", _VALUES), ("metrics", _FIGURES), ("counts", _COUNTS)):
        problem = misfit(adapter, parts[name])
        if problem is not None:
            raise ValueError(f"{name}: {problem}")
    return EarlierTrial(row["number"], parts["values"], kept(parts["metrics"]), parts["counts"], row["allowed"])
