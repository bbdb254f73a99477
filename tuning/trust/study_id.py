"""The id of a study, kept in its directory, which goes on with no other study; agreements are kept by it."""

from pathlib import Path

from antisample.errors import DataError
from antisample.storage.atomic import atomic_write
from antisample.storage.regular_files import read_regular

_LONGEST_ID = 1000


def remember_id(directory: Path, study_id: str) -> None:
    """Keeps in a study's directory which study it belongs to, so that it goes on with no other.

    Raises:
        DataError: If it cannot be written.
    """
    if known_id(directory) != study_id:
        with atomic_write(_id_file(directory)) as unfinished:
            unfinished.write_text(study_id + "\n")


def forget_id(directory: Path) -> None:
    """Makes a directory belong to no study, until the next `remember_id`.

    Raises:
        DataError: If it cannot be written.
    """
    try:
        _id_file(directory).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{_id_file(directory)}: cannot be deleted ({error.strerror}).") from error


def known_id(directory: Path) -> str | None:
    """The id of the study that a directory belongs to; None if nothing was kept there.

    Raises:
        DataError: If it cannot be read.
    """
    path = _id_file(directory)
    try:
        return read_regular(path, inside=directory, most=_LONGEST_ID).decode(errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


def _id_file(directory: Path) -> Path:
    return directory / "study.id"
