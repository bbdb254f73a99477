"""Trials that a study's folder shows and its journal does not hold any more.

A journal that is cut at the end of a line looks whole. The views beside it tell: `trials.parquet` is written from the
journal and never ahead of it, and neither is `mlflow.json`.
"""

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from antisample.errors import DataError
from antisample.storage.regular_files import read_regular
from tuning.config.command_lines import program, shown_path
from tuning.study.reader import StudyReader
from tuning.study.storage.journal_replay import WAY_OUT

_MOST_BYTES, _MOST_ROWS = 500_000_000, 10_000_000


def lost_trials(study: StudyReader) -> str | None:
    """Which trials are lost, and what can be done, in words; None if none are, as far as the folder tells.

    Args:
        study: One that is kept in PostgreSQL has its trials there, whatever lies in its folder.
    """
    directory = study.config.directory
    if study.config.storage is not None:
        return None
    name, recorded = "trials.parquet", _trials_of_table(directory / "trials.parquet")
    if recorded is None:
        name, recorded = "mlflow.json", _trials_delivered(directory / "mlflow.json")
    # Only now, so that a search that goes on is never behind what was read.
    held = {record.number for record in study.rows() if name == "mlflow.json" or record.state != "RUNNING"}
    missing = sorted(recorded - held)
    if not missing:
        return None
    which = f"trial {missing[0]}" if len(missing) == 1 else f"{len(missing)} trials, the first of them {missing[0]},"
    command = f"{program('antisample')} report {shown_path(directory)} --rebuild"
    return (
        f"{directory / 'journal.log'}: {name} shows {which} with an end that is missing in the journal: its last "
        f"lines are lost. {WAY_OUT} `{command}` continues with what is left."
    )


def refuse_lost_trials(study: StudyReader) -> None:
    """Makes sure that no trials are lost, before others get their numbers or a table shows fewer.

    Raises:
        DataError: If some are; see `lost_trials`.
    """
    lost = lost_trials(study)
    if lost is not None:
        raise DataError(lost)


def _trials_of_table(path: Path) -> set[int] | None:
    """Numbers of the trials of a table; None if there is none that can be read."""
    try:
        table = pq.ParquetFile(io.BytesIO(read_regular(path, inside=path.parent, most=_MOST_BYTES)))
        if table.metadata.num_rows > _MOST_ROWS:
            return None
        numbers = table.read(columns=["number"]).column("number").to_pylist()
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None
    return {number for number in numbers if isinstance(number, int)}


def _trials_delivered(path: Path) -> set[int]:
    """Numbers of the trials that MLflow stores have, as far as the file says."""
    try:
        stores = json.loads(read_regular(path, inside=path.parent, most=_MOST_BYTES))
        runs = [run for store in stores.values() for run in store.values()]
        return {run["trial"] for run in runs if isinstance(run.get("trial"), int)}
    except (OSError, ValueError, RecursionError, AttributeError):
        return set()
