"""How much of a study which MLflow store has: `mlflow.json` in the study's directory.

Losing it costs repeated deliveries only, which MLflow drops.
"""

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from antisample.errors import DataError
from antisample.storage.atomic import atomic_write
from antisample.storage.regular_files import read_regular
from tuning.trials.records import EpochRecord

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(frozen=True)
class Delivered:
    """What one run in MLflow has.

    Attributes:
        trial: The trial that the run shows; None for the parent.
        begun: Whether it has its parameters.
        steps: How many steps of the trial it has, or how many ends of the search.
        last_step: The newest of these steps.
        ended: Whether it has been told its end.
        waits: Whether it says that the trial waits for a search that goes on.
        files: Fingerprints of the files that it has, by name.
        experiment: Id of the experiment that the parent is in; None for trials, and in files of earlier versions.
    """

    trial: int | None = None
    begun: bool = False
    steps: int = 0
    last_step: int = 0
    ended: bool = False
    waits: bool = False
    files: dict[str, str] | None = None
    experiment: str | None = None

    def missing(self, steps: Sequence[EpochRecord]) -> Sequence[EpochRecord]:
        """The steps that the run has not got; all of them if it is not certain which it has."""
        certain = self.steps == 0 or (len(steps) >= self.steps and steps[self.steps - 1].step == self.last_step)
        return steps[self.steps :] if certain else steps


_STORES = TypeAdapter(dict[str, dict[str, Delivered]])
_MOST_BYTES = 100_000_000


class DeliveryLog:
    """Remembers what was delivered to one store.

    Args:
        path: `mlflow.json`; need not exist, and may be damaged.
        uri: The store.
    """

    def __init__(self, path: Path, uri: str) -> None:
        self._path = path
        self._stores = _read(path)
        self._runs = self._stores.setdefault(store_name(uri), {})

    def compare(self, runs: "Iterable[Run]") -> None:
        """Forgets what cannot be: a run that was told its end and runs again is of a store restored from a copy."""
        for run in runs:
            if run.info.status == "RUNNING" and self.of(run.info.run_id).ended:
                del self._runs[run.info.run_id]

    def of(self, run_id: str) -> Delivered:
        """What a run has."""
        return self._runs.get(run_id, Delivered())

    def note(self, run_id: str, delivered: Delivered) -> None:
        """Remembers what a run has now."""
        self._runs[run_id] = delivered
        # Without the file the next driver delivers again what MLflow has, and MLflow drops it.
        with contextlib.suppress(DataError), atomic_write(self._path) as unfinished:
            unfinished.write_bytes(_STORES.dump_json(self._stores, indent=1, exclude_defaults=True))

    def note_file(self, run_id: str, name: str, fingerprint: str) -> None:
        """Remembers that a run has a file."""
        delivered = self.of(run_id)
        self.note(run_id, replace(delivered, files={**(delivered.files or {}), name: fingerprint}))


def ui_link(experiment_id: str, study_id: str) -> str:
    """Path and query of a study's runs in the MLflow UI, behind the server's address."""
    return f"/#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={study_id}"


def kept_link(path: Path, uri: str, study_id: str) -> str | None:
    """The same as far as the study's folder tells: no server is asked, and MLflow is not imported.

    Args:
        path: `mlflow.json`; need not exist, and may be damaged.
        uri: The store.
        study_id: Id of the study.

    Returns:
        None if nothing was delivered there, or an earlier version did that.
    """
    runs = _read(path).get(store_name(uri), {})
    experiment = next((run.experiment for run in runs.values() if run.trial is None and run.experiment), None)
    if experiment is None or not re.fullmatch(r"[\w-]+", experiment) or not re.fullmatch(r"[\w -]+", study_id):
        return None
    return ui_link(experiment, study_id)


def store_name(uri: str) -> str:
    """The address of a store without user name and password."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _read(path: Path) -> dict[str, dict[str, Delivered]]:
    try:
        return _STORES.validate_json(read_regular(path, inside=path.parent, most=_MOST_BYTES))
    except (OSError, ValidationError):
        return {}
