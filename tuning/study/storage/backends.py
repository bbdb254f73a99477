"""Opens the Optuna study of a configuration, in its directory or in a database, and refuses one that is another."""

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage

from antisample.errors import AntisampleError, ConfigError, DataError
from tuning.config.database_address import postgresql_packages
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan
from tuning.study.storage.journal import open_journal
from tuning.study.storage.journal_replay import WAY_OUT
from tuning.trust.study_id import known_id


class StudyStorage(Protocol):
    """What a study asks of its storage besides what Optuna does."""

    def batch_writes(self) -> AbstractContextManager[None]:
        """Within it changes are seen by others at once, and are on the disk at its end."""


def open_optuna_study(plan: TrialPlan, token: str = "", *, begin: bool = True) -> tuple[optuna.Study, StudyStorage]:
    """Opens or starts the Optuna study of a configuration.

    Args:
        plan: Of a study whose directory exists.
        token: Fencing token of the driver that writes; a database checks it with every change.
        begin: Whether to start one that is not there; who only reads makes nothing.

    Returns:
        The study, and the storage that it is kept in.

    Raises:
        ConfigError: If it is a study with other objectives or another space, or not the one of this directory.
        DataError: If the journal is damaged or missing, or the database cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    config = plan.config
    directions: Sequence[Any] = [objective.direction for objective in config.objectives]
    kept_id = known_id(config.directory)
    storage: Any
    if config.storage is None:
        write = begin
        # A study.yaml is written when the study is in the journal already.
        begin = begin and kept_id is None and not (config.directory / "study.yaml").is_file()
        storage = open_journal(config.directory / "journal.log", begin=begin, write=write)
        name = _name_in_journal(storage, kept_id) or config.name
        where = str(config.directory)
    else:
        with postgresql_packages():  # which a journal does not need
            from tuning.study.storage.postgresql import study_database  # noqa: PLC0415

        name = config.name_in_storage()
        storage = study_database(config.storage, name, token)
        where = f"The study {name!r} in the database"
        begin = begin and kept_id is None
    opened = _open(storage, name, directions, begin=begin)
    if opened is None or (kept_id is not None and opened.user_attrs.get("id") != kept_id):
        raise _not_there(config, where, kept_id, is_another=opened is not None)
    study = opened
    mine = {
        "objectives": [objective.metric for objective in config.objectives],
        "directions": directions,
        "space": plan.space.fingerprint(),
    }
    kept_facts = {fact: study.user_attrs.get(fact, value) for fact, value in mine.items()}
    kept_facts["directions"] = [direction.name.lower() for direction in study.directions]
    begun = study.user_attrs.get("original") is not None or study.get_trials(deepcopy=False)
    if kept_facts != mine and token and kept_id is None and not begun:
        # Left by a start that failed, whose directory is gone.
        optuna.delete_study(study_name=name, storage=storage)
        study = optuna.create_study(storage=storage, study_name=name, directions=directions)
        kept_facts = mine
    for fact, value in mine.items():
        if kept_facts[fact] != value:
            raise ConfigError(
                f"{where} holds a study with other {fact} ({kept_facts[fact]} instead of {value}); choose another "
                "name."
            )
        if begin and study.user_attrs.get(fact) is None:
            study.set_user_attr(fact, value)
    if begin and study.metric_names is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(
                [each.metric for each in config.objectives]
            )  # what Optuna's dashboard calls the objectives
    return study, storage


def kept_note(config: StudyConfig, name: str) -> Any:
    """A note of a study as its storage keeps it, whatever the configuration says of the search; None without one.

    Raises:
        DataError: If the journal is damaged or missing, or the database cannot be used.
    """
    storage: Any
    if config.storage is None:
        storage = open_journal(config.directory / "journal.log", begin=False, write=False)
        study_name = _name_in_journal(storage, known_id(config.directory))
    else:
        with postgresql_packages():
            from tuning.study.storage.postgresql import study_database  # noqa: PLC0415

        study_name = config.name_in_storage()
        storage = study_database(config.storage, study_name, "")
    return next((s.user_attrs.get(name) for s in storage.get_all_studies() if s.study_name == study_name), None)


def _name_in_journal(storage: BaseStorage, kept_id: str | None) -> str | None:
    """The name of the study in a journal, where its folder may have been renamed; None if there is none.

    Others may have put studies into the same journal.
    """
    facts = {study.study_name: study.user_attrs for study in storage.get_all_studies()}
    by_id = [name for name, kept in facts.items() if kept_id is not None and kept.get("id") == kept_id]
    searched = [name for name, kept in facts.items() if "space" in kept]
    return next(iter([*by_id, *searched]), None)


def _open(storage: BaseStorage, name: str, directions: Sequence[Any], *, begin: bool) -> optuna.Study | None:
    """The study of a name; None if it is not there and not to be started."""
    if begin:
        return optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
    try:
        return optuna.load_study(storage=storage, study_name=name)
    except KeyError:
        return None


def _not_there(config: StudyConfig, where: str, kept_id: str | None, *, is_another: bool) -> AntisampleError:
    if config.storage is None:
        what = "holds a different study from its folder" if is_another else "no longer holds the study"
        return DataError(f"{config.directory / 'journal.log'}: the journal {what}. {WAY_OUT}")
    state = "is another study" if is_another else "is not there"
    belongs = f"; {config.directory} belongs to the study with the id {kept_id}" if kept_id is not None else ""
    return ConfigError(
        f"{where} {state}{belongs}. Correct `storage` or `study_name`, or choose another `name` to start over."
    )
