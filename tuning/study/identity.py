"""Which study a directory holds: one that was moved stays the same, one that was copied gets an id of its own.

MLflow's runs are found by the id of a study, so two directories with one id would write into each other's runs.
"""

import uuid
from pathlib import Path

from antisample.errors import DataError
from tuning.study.attributes import COPY_NAME, ID, PLACE, Place
from tuning.study.reader import StudyReader
from tuning.study.study import Study
from tuning.trust.study_id import forget_id, known_id, remember_id


def settle_identity(study: Study) -> str | None:
    """Gives a study its id, a copied one a new one, and keeps where it stands.

    Args:
        study: Of the driver that holds the lease.

    Returns:
        What is to be said, if the directory is a copy.

    Raises:
        DataError: If the id cannot be written.
    """
    directory, original = study.config.directory, copied_from(study)
    if original is not None:
        forget_id(directory)  # first: with neither id nor note of it, a driver that dies here leaves a copy again
    if original is not None:
        study.note(COPY_NAME, directory.resolve().name)
    study_id = study.noted(ID)
    if study_id is None or original is not None:
        study_id = uuid.uuid4().hex
        study.note(ID, study_id)
    remember_id(directory, study_id)
    if study.config.storage is None and study.noted(PLACE) != _here(directory):
        study.note(PLACE, _here(directory))
    if original is None:
        return None
    return f"This directory is a copy of {original}: from now on it is a separate study with its own runs in MLflow."


def refuse_copy(study: StudyReader) -> None:
    """Makes sure that nothing is delivered from a copy into the runs of its original.

    Raises:
        DataError: If the directory is a copy that no driver has gone on with.
    """
    original = copied_from(study)
    if original is not None:
        raise DataError(
            f"{study.config.directory}: this directory is a copy of {original}, whose runs are in MLflow. Update "
            f"them with `antisample mlflow sync {original}`, or make the copy a separate study with "
            "`antisample resume`."
        )


def copied_from(study: StudyReader) -> Path | None:
    """The directory that a study's directory was copied from, as far as it can be found; None if it is no copy.

    It is a copy if another directory, at the place that the study noted or beside this one, holds the same study,
    and this one is neither the noted directory itself, moved, nor stands where that one stood.

    Args:
        study: A study in a database has its trials there, whatever is copied.
    """
    noted = study.noted(PLACE)
    directory = study.config.directory
    if study.config.storage is not None or noted is None or noted["inode"] == _here(directory)["inode"]:
        return None
    place = Path(noted["directory"])
    others = [other for other in (place, *_beside(directory)) if _is_another(other, directory, study.noted(ID))]
    moved = next((other for other in others if _here(other)["inode"] == noted["inode"]), None)
    if moved is not None:
        return moved
    return others[0] if others and place != directory.resolve() else None


def _here(directory: Path) -> Place:
    """Where a directory stands, and its number in the file system, which it keeps when it is renamed."""
    return {"directory": str(directory.resolve()), "inode": directory.stat().st_ino}


def _beside(directory: Path) -> list[Path]:
    try:
        return sorted(path.parent for path in directory.resolve().parent.glob("*/study.id"))
    except OSError:
        return []


def _is_another(other: Path, directory: Path, study_id: str | None) -> bool:
    try:
        return (other / "journal.log").is_file() and not other.samefile(directory) and known_id(other) == study_id
    except (OSError, DataError):
        return False
