"""Opens the Optuna study of a configuration, in its directory or in a database, and refuses one that is another."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import optuna
from optuna.storages import BaseStorage

from antisample.errors import ConfigError
from antisample.files import whole_file
from tuning.config import StudyConfig
from tuning.database_address import postgresql_packages
from tuning.journal import open_journal


class StudyStorage(Protocol):
    """What a study asks of its storage besides what Optuna does."""

    def together(self) -> AbstractContextManager[None]:
        """Within it changes are seen by others at once, and are on the disk at its end."""


def open_optuna_study(config: StudyConfig, token: str = "") -> tuple[optuna.Study, StudyStorage]:
    """Opens or starts the Optuna study of a configuration.

    Args:
        config: Its directory exists.
        token: Fencing token of the driver that writes; a database checks it with every change.

    Returns:
        The study, and the storage that it is kept in.

    Raises:
        ConfigError: If it is a study with other objectives or another space, or not the one of this directory.
        DataError: If the journal is damaged, or the database cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directions: Sequence[Any] = [objective.direction for objective in config.objectives]
    storage: Any
    if config.storage is None:
        storage = open_journal(config.directory / "journal.log")
        # A renamed folder keeps its study: the journal holds one, under the name it was made with.
        name = next(iter(optuna.get_all_study_names(storage)), config.name)
        where = str(config.directory)
    else:
        with postgresql_packages():  # which a journal does not need
            from tuning.study_database import study_database  # noqa: PLC0415

        name = config.name_in_storage()
        storage = study_database(config.storage, name, token)
        where = f"The study {name!r} in the database"
    known_id = _known_id(config.directory)
    study = _open(storage, name, directions, known_id, config.directory, where)
    mine = {
        "objectives": [objective.metric for objective in config.objectives],
        "directions": directions,
        "space": config.search_space().fingerprint(),
    }
    kept_facts = {fact: study.user_attrs.get(fact, value) for fact, value in mine.items()}
    begun = study.user_attrs.get("original") is not None or study.get_trials(deepcopy=False)
    if kept_facts != mine and token and known_id is None and not begun:
        # Left by a start that failed, whose directory is gone.
        optuna.delete_study(study_name=name, storage=storage)
        study = _open(storage, name, directions, known_id, config.directory, where)
    for fact, value in mine.items():
        kept = study.user_attrs.get(fact)
        if kept is None:
            study.set_user_attr(fact, value)
        elif kept != value:
            raise ConfigError(
                f"{where} holds a study with other {fact} ({kept} instead of {value}); choose another name."
            )
    return study, storage


def remember_id(directory: Path, study_id: str) -> None:
    """Keeps in a study's directory which study it belongs to, so that it goes on with no other.

    Raises:
        DataError: If it cannot be written.
    """
    if _known_id(directory) != study_id:
        with whole_file(directory / "study.id") as unfinished:
            unfinished.write_text(study_id + "\n")


def _known_id(directory: Path) -> str | None:
    path = directory / "study.id"
    return path.read_text().strip() if path.is_file() else None


def _open(
    storage: BaseStorage, name: str, directions: Sequence[Any], known_id: str | None, directory: Path, where: str
) -> optuna.Study:
    """The study of a name; started only where its directory does not know of one yet."""
    if known_id is None:
        return optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
    try:
        study = optuna.load_study(storage=storage, study_name=name)
    except KeyError:
        study = None
    if study is None or study.user_attrs.get("id") != known_id:
        found = "is not there" if study is None else "is another study"
        raise ConfigError(
            f"{where} {found}; {directory} belongs to the study with the id {known_id}. Correct `storage` or "
            "`study_name`, or choose another `name` to start anew."
        )
    return study
