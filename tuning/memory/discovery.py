"""Earlier studies, where they lie: in folders of studies, in memory files, and packaged."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from antisample.errors import AntisampleError, ConfigError, in_one_line
from search_spaces import SpaceError
from tuning.config.command_lines import shown_path
from tuning.config.loading import read_values
from tuning.config.study import StudyConfig
from tuning.memory.evidence import EarlierStudy, evidence_of
from tuning.memory.files import read_memory
from tuning.study.directory import open_study

IMPORTED = "_memory"
"""The folder of imported memory files in a folder of studies; no study can have this name."""
PACKAGED = Path(__file__).with_name("packaged.parquet")
_MOST_STUDIES = 100


@dataclass(frozen=True)
class Earlier:
    """What was there.

    Attributes:
        studies: By name.
        skipped: What could not be used and why, in sentences.
    """

    studies: tuple[EarlierStudy, ...] = ()
    skipped: tuple[str, ...] = ()

    def __add__(self, other: "Earlier") -> "Earlier":
        return Earlier((*self.studies, *other.studies), (*self.skipped, *other.skipped))


def check_memory(memory: str) -> None:
    """Makes sure that what a study file names as its memory is there, before anything is loaded.

    Raises:
        ConfigError: If there is no such folder or file.
        DataError: If it is a file that holds no memory.
    """
    if memory in ("auto", "none"):
        return
    if Path(memory).is_file():
        read_memory(Path(memory))
    elif not Path(memory).is_dir():
        raise ConfigError(
            f"`memory` must be auto, none, a folder of studies or a memory file, but {memory!r} does not exist."
        )


def earlier_studies(folder: Path, method: str | None = None, storage: str | None = None) -> Earlier:
    """The studies in a folder, and those of memory files that were imported there.

    Damaged ones are left out, and neither what they name is imported nor a database asked that the new study does not
    use itself. Of more than 100 studies the latest are read.

    Args:
        folder: A folder of studies; it need not exist.
        method: The method that is of interest; None for all.
        storage: The database of the new study.
    """
    found = Earlier()
    for directory in _directories(folder):
        found += study_in(directory, method, storage)
    for path in sorted((folder / IMPORTED).glob("*.parquet")):
        found += _in_file(path, method)
    return found


def study_in(directory: Path, method: str | None = None, storage: str | None = None) -> Earlier:
    """The study of one folder; see `earlier_studies`."""
    try:
        values = read_values(directory / "study.yaml", inside=directory)
        if method is not None and values.get("method", StudyConfig.model_fields["method"].default) != method:
            return Earlier()
        if values.get("storage") not in (None, storage):
            raise ConfigError("its trials are in a database, which only new studies ask that use it themselves")
        study = evidence_of(open_study(directory))
    except (AntisampleError, SpaceError) as error:
        return Earlier(skipped=(f"{shown_path(directory)} is left out: {in_one_line(error)}",))
    return Earlier((study,)) if study.trials else Earlier()


def named_studies(memory: str, method: str, storage: str | None = None) -> Earlier:
    """The studies of a folder or a file that the user names; see `earlier_studies`.

    Raises:
        ConfigError: If it holds no trial of the method.
        DataError: If it is a file that cannot be used.
    """
    check_memory(memory)
    path = Path(memory)
    if path.is_file():
        studies = read_memory(path)[0]
        found, others = Earlier(_of(studies, method)), sorted({study.method for study in studies} - {method})
    else:
        read = study_in if (path / "study.yaml").is_file() else earlier_studies
        found = read(path, method, storage)
        others = []
    if not found.studies:
        which = f"; it has trials of {', '.join(others)}" if others else ""
        why = f" {found.skipped[0]}" if found.skipped else ""
        raise ConfigError(f"`memory` {memory!r} holds no finished trial of the method {method!r}{which}.{why}")
    return found


@cache
def packaged_studies() -> tuple[EarlierStudy, ...]:
    """The studies that come with the program; see docs/guides/memory.md."""
    return read_memory(PACKAGED)[0]


def _in_file(path: Path, method: str | None) -> Earlier:
    try:
        return Earlier(_of(read_memory(path)[0], method))
    except AntisampleError as error:
        return Earlier(skipped=(f"{shown_path(path)} is left out: {in_one_line(error)}",))


def _of(studies: tuple[EarlierStudy, ...], method: str | None) -> tuple[EarlierStudy, ...]:
    return tuple(study for study in studies if method in (None, study.method))


def _directories(folder: Path) -> Iterator[Path]:
    """Folders of studies, by name: the latest, if there are many."""
    try:
        dated = [(path.stat().st_mtime, path.parent) for path in folder.glob("*/study.yaml") if path.is_file()]
    except OSError:
        return
    yield from sorted(path for _, path in sorted(dated)[-_MOST_STUDIES:])
