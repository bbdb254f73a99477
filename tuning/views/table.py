"""trials.parquet: all trials that have ended, a row each."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from antisample.storage.atomic import atomic_write
from tuning.trials.records import TrialRecord


def write_table(records: list[TrialRecord], path: Path) -> None:
    """Writes trials.parquet: a row a trial, in one step.

    Columns: number, state, origin, seeds, fidelity, duration_s, batch_halvings, error, `params.NAME`, `metrics.NAME`,
    and `spread.NAME` where trials have several replicates, `partial.NAME` where trials were stopped early, and `rung`
    where they are promoted: the replicates that a trial came to. Where a trial lacks a metric the cell is null, never
    a number. A parameter whose values have no common type that Parquet
    knows is written as text.

    Args:
        records: Trials that have ended. Metrics of one that was added by hand are what others say they are.
        path: Where to.
    """
    names = list(dict.fromkeys(name for record in records for name in record.params))
    metrics = sorted({name for record in records for name in record.metrics})
    columns: dict[str, Any] = {
        "number": pa.array([r.number for r in records], pa.int64()),
        "state": pa.array([r.state for r in records], pa.string()),
        "origin": pa.array([_text(r.origin) for r in records], pa.string()),
        "seeds": pa.array([list(r.seeds) for r in records], pa.list_(pa.int64())),
        "fidelity": pa.array([r.fidelity for r in records], pa.int64()),
        "duration_s": pa.array([r.duration_s for r in records], pa.float64()),
        "batch_halvings": pa.array([r.batch_halvings for r in records], pa.int64()),
        "error": pa.array([None if r.error is None else _text(r.error) for r in records], pa.string()),
    }
    if any(r.rung is not None for r in records):
        columns["rung"] = pa.array([r.rung for r in records], pa.int64())
    columns |= {f"params.{_text(name)}": _column([r.params.get(name) for r in records]) for name in names}
    columns |= {
        f"spread.{name}": pa.array([r.spread.get(name) for r in records], pa.float64())
        for name in metrics
        if any(r.spread for r in records)
    }
    partial = sorted({name for record in records for name in record.partial})
    columns |= {f"partial.{name}": pa.array([r.partial.get(name) for r in records], pa.float64()) for name in partial}
    columns |= {f"metrics.{name}": pa.array([r.metrics.get(name) for r in records], pa.float64()) for name in metrics}
    with atomic_write(path) as unfinished:
        pq.write_table(pa.table(columns), unfinished)


def _column(values: list[Any]) -> pa.Array:
    """The values of a parameter; as text where they are of several kinds, or larger than 64 bits."""
    kinds = {type(value) for value in values if value is not None}
    if str not in kinds and (len(kinds) == 1 or kinds == {int, float}):
        with suppress(pa.ArrowException, OverflowError):
            return pa.array(values, pa.float64() if float in kinds else None)
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    """A value as text that is valid Unicode."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "backslashreplace").decode()
