"""The studies of a folder, each in a few figures, read without loading what a search or a report needs."""

import io
import math
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from antisample.errors import DataError
from antisample.storage.regular_files import read_regular
from search_spaces.yaml_loader import LONGEST, UniqueKeyLoader
from tuning.study.journal_summary import JournalSummary, summarise_journal
from tuning.study.storage.journal_lease import LeaseFile
from tuning.trials.origins import BY_HAND
from tuning.trust.study_id import known_id

_STUDY, _JOURNAL, _TABLE = "study.yaml", "journal.log", "trials.parquet"
_DEFAULTS = {"n_trials": 50, "max_failures": 10}
_BEST = {
    "forget": "chosen/validation/forget_accuracy",
    "retain": "chosen/validation/retain_accuracy",
    "left": "chosen/validation/probe_left",
}
_MOST_BYTES = 500_000_000


@dataclass(frozen=True)
class StudySummary:
    """A study as a line of a list.

    Attributes:
        name: Of its folder.
        path: The folder.
        state: `running`, `finished`, `stopped`, `failed` (too many trials failed), `in a database`, where only the
            database knows, or `unreadable`.
        by: Who runs it, in words; None if nobody does.
        done: Trials that count towards the total; None if unknown.
        total: Trials that there are to be, never less than `done`; None where a budget alone says so.
        failed: Trials that failed by themselves.
        best: Of the trial that was chosen when the study last ended: `trial`, and `forget`, `retain` and `left` on
            validation images, as far as they were measured; None if none was chosen yet.
        last_activity: Seconds since 1970.
        problem: Why it cannot be read, a sentence; None if it can.
    """

    name: str
    path: Path
    state: str
    by: str | None = None
    done: int | None = None
    total: int | None = None
    failed: int | None = None
    best: dict[str, float] | None = None
    last_activity: float | None = None
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the age in seconds."""
        age = None if self.last_activity is None else max(0.0, time.time() - self.last_activity)
        return {**asdict(self), "path": str(self.path), "age_s": age}


def summarise_studies(folder: Path) -> tuple[list[StudySummary], list[str]]:
    """Looks at each study of a folder, or at the one that the folder is; nothing is written or locked.

    Args:
        folder: Such as `runs`.

    Returns:
        The studies, the last active first, and the names of folders in it that are no studies.

    Raises:
        DataError: If there is no such folder, or it cannot be read.
    """
    try:
        if not folder.is_dir():
            raise DataError(f"{folder}: {'must be a folder' if folder.exists() else 'there is no such folder'}.")
        inside = [folder] if _is_study(folder) else sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}).") from error
    studies = [_summary(path) for path in inside if _is_study(path)]
    others = [path.name for path in inside if not _is_study(path) and not path.name.startswith(".")]
    return sorted(studies, key=lambda study: -(study.last_activity or 0)), others


def _is_study(path: Path) -> bool:
    try:
        return any((path / name).exists() for name in (_STUDY, _JOURNAL))
    except OSError:
        return False


def _summary(directory: Path) -> StudySummary:
    name, active = directory.resolve().name, _last_activity(directory)
    try:
        values = _values(directory)
        max_failures = _whole(values, "max_failures")
        budget = values.get("budget")
        by_budget = budget is not None and values.get("n_trials") is None
        n_trials = None if by_budget else _whole(values, "n_trials")
        if values.get("storage") is not None:
            done = _done_in_table(directory)
            total = n_trials if done is None or n_trials is None else max(done, n_trials)
            return StudySummary(name, directory, "in a database", None, done, total, last_activity=active)
        by = _driver(directory)
        journal = summarise_journal(directory, known_id(directory))
    except (DataError, OSError) as error:
        problem = str(error).removeprefix(f"{directory}/")
        return StudySummary(name, directory, "unreadable", last_activity=active, problem=problem)
    if by is not None:
        state = "running"
    elif (n_trials is not None and journal.done >= n_trials) or _stopped_by(journal.stop, budget):
        state = "finished"
    else:
        state = "failed" if journal.failed > max_failures else "stopped"
    total = None if n_trials is None else max(journal.done, n_trials)
    return StudySummary(name, directory, state, by, journal.done, total, journal.failed, _best(journal), active)


def _driver(directory: Path) -> str | None:
    """Who runs a study, in words; None if nobody does.

    Raises:
        DataError: If that cannot be found out.
    """
    try:
        owner = LeaseFile(directory).read()
        return str(owner) if owner is not None and owner.is_alive() else None
    except (TypeError, ValueError, OverflowError, RecursionError, psutil.Error) as error:
        raise DataError("driver.json is damaged.") from error


def _values(directory: Path) -> dict[str, Any]:
    """What study.yaml says, unchecked.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        written = read_regular(directory / _STUDY, inside=directory, most=4 * LONGEST).decode()
        values = yaml.load(written, UniqueKeyLoader)  # noqa: S506  (a safe loader)
    except FileNotFoundError:
        raise DataError("study.yaml is missing.") from None
    except OSError as error:
        raise DataError(f"study.yaml cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, ValueError, RecursionError):
        raise DataError("study.yaml is not readable as YAML.") from None
    if not isinstance(values, dict):
        raise DataError("study.yaml does not contain keys and values.")
    return values


def _whole(values: dict[str, Any], key: str) -> int:
    value = values.get(key, _DEFAULTS[key])
    if not isinstance(value, int) or isinstance(value, bool):
        raise DataError(f"study.yaml: `{key}` must be a whole number.")
    return value


def _stopped_by(stop: Any, budget: Any) -> bool:
    """Whether the budget ended the search; see `StudyReader.stopped_because`."""
    return budget is not None and isinstance(stop, dict) and bool(stop.get("budget") == budget)


def _best(journal: JournalSummary) -> dict[str, float] | None:
    """The choice of the last end."""
    end = journal.endings[-1] if journal.endings else None
    if not isinstance(end, dict) or not isinstance(end.get("chosen"), int) or not isinstance(end.get("values"), dict):
        return None
    figures = {name: end["values"].get(key) for name, key in _BEST.items()}
    numbers = {name: float(v) for name, v in figures.items() if isinstance(v, int | float) and math.isfinite(v)}
    return {"trial": end["chosen"], **numbers}


def _done_in_table(directory: Path) -> int | None:
    """Trials that count, by the table beside the study; None if there is none that can be read."""
    import pyarrow as pa  # noqa: PLC0415  (few studies need it)
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        content = io.BytesIO(read_regular(directory / _TABLE, inside=directory, most=_MOST_BYTES))
        rows = pq.read_table(content, columns=["state", "origin"]).to_pylist()
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return None
    return len([row for row in rows if row["state"] in ("COMPLETE", "PRUNED") and row["origin"] != BY_HAND])


def _last_activity(directory: Path) -> float | None:
    """When something of the study was last written."""
    times = []
    for name in (_JOURNAL, "driver.json", _STUDY):
        with suppress(OSError):
            times.append((directory / name).lstat().st_mtime)
    return max(times, default=None)
