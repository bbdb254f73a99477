"""A study's directory: made once, and checked when it is continued."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from antisample.errors import AntisampleError, ConfigError, DataError
from antisample.plugins.discovery import Plugin
from antisample.plugins.requirements import check_plugins
from antisample.storage.atomic import atomic_write
from tuning.config.loading import meant_path, override_value, parse_study, read_values, values_of
from tuning.config.study import StudyConfig
from tuning.study.attributes import PLUGINS, SETTINGS
from tuning.study.changes import MAY_CHANGE
from tuning.study.kept_settings import as_begun, parse_kept
from tuning.study.reader import StudyReader
from tuning.study.storage.backends import kept_note
from tuning.study.storage.lease import Lease
from tuning.study.study import Study
from tuning.trust.addresses import with_storage


def open_study(directory: Path, overrides: Sequence[str] = (), storage: str | None = None) -> StudyReader:
    """Opens the study in a directory that `run_study` made; nothing that it names is imported.

    Args:
        directory: Of the study.
        overrides: `key=value` for what is looked at in another way, such as `selection.by=oracle`.
        storage: The database that holds the study, where it is not one that this user made on this machine.

    Raises:
        DataError: If there is none.
        ConfigError: If an override is refused, or the study names a database that the user has not named.
    """
    return StudyReader(study_config(directory, overrides, storage))


def study_config(directory: Path, overrides: Sequence[str] = (), storage: str | None = None) -> StudyConfig:
    """The configuration of the study in a directory; its journal or database is not opened. See `open_study`."""
    path = directory / "study.yaml"
    if not path.is_file():
        meant = meant_path(directory, lambda beside: (beside / "study.yaml").is_file())
        raise DataError(f"{directory}: contains no study; expected study.yaml.{meant}")
    values = read_values(path, inside=directory)
    for override in overrides:
        override_value(values, override, StudyConfig)
    try:
        config = parse_kept(values, str(path))
    except ConfigError:
        check_plugins(_plugins_kept(values, directory, storage), f"The study {directory}")  # a clearer reason
        raise
    config = with_storage(config, directory, storage)
    here = {"name": directory.resolve().name, "runs_dir": directory.resolve().parent}
    if config.storage is not None:
        here["study_name"] = config.name_in_storage()
    return config.model_copy(update=here)


def _plugins_kept(values: Mapping[str, Any], directory: Path, storage: str | None) -> list[Plugin]:
    """The plug-ins that a study noted whose file is no study here; none where that cannot be told.

    Args:
        values: Of the file: the place of the study is read of them, and not what a missing package may have provided.
        directory: Of the study.
        storage: See `open_study`.
    """
    kept = {key: values[key] for key in ("name", "data", "model", "forget", "storage", "study_name") if key in values}
    try:
        config = with_storage(parse_study(kept), directory, storage)
        here = {"name": directory.resolve().name, "runs_dir": directory.resolve().parent}
        here["study_name"] = config.name_in_storage()
        noted = kept_note(config.model_copy(update=here), PLUGINS.key)
    except AntisampleError:
        return []
    if noted is None or PLUGINS.problem(noted) is not None:
        return []
    return [Plugin(**plugin) for plugin in noted]


def note_settings(study: Study) -> None:
    """Keeps the configuration in a study that lies in a database, where a driver with another directory may come by.

    Raises:
        ConfigError: See `check_settings`.
    """
    check_settings(study)
    if study.config.storage is not None and study.noted(SETTINGS) is None:
        study.note(SETTINGS, study.config.to_yaml())


def check_settings(study: StudyReader) -> None:
    """Makes sure that a study in a database goes on with the settings that it keeps, if it has any yet.

    Raises:
        ConfigError: If it was begun with other settings; the differing keys are named.
    """
    config, settings = study.config, study.noted(SETTINGS)
    if config.storage is None or settings is None:
        return  # the directory says it, or the study has not begun
    # Where data and model lie depends on the machine; `record_provenance` compares what they are.
    begun = parse_kept(values_of(settings, "the database"), "the database")
    other = _differences(begun, as_begun(config), MAY_CHANGE | {"data", "model"})
    if other:
        raise ConfigError(
            [*other, "Choose another `name` or `study_name`."],
            f"The database holds another study {config.name_in_storage()!r}",
        )


def _differences(before: StudyConfig, now: StudyConfig, but_for: set[str]) -> list[str]:
    old, new = (yaml.safe_load(study.to_yaml()) for study in (before, now))
    for values in (old, new):
        values["model"].pop("accept_original")  # says nothing about what is searched
    other = [key for key in new if key not in but_for and old.get(key) != new[key]]
    return [f"`{key}` was {old.get(key)!r} and is now {new[key]!r}." for key in other]


def check_directory(config: StudyConfig) -> None:
    """Makes sure that the study's directory does not hold another study.

    Raises:
        ConfigError: If it does; the differing keys are named.
    """
    path = config.directory / "study.yaml"
    if not path.is_file():
        return
    # Read through the configuration, so that a study from before a key existed has its default.
    stored = parse_kept(read_values(path, inside=config.directory), str(path))
    other = _differences(stored, as_begun(config), MAY_CHANGE)
    if other:
        raise ConfigError(
            [*other, "Choose another `name`, or delete the folder to start over."],
            f"{config.directory} holds another study",
        )


@contextmanager
def prepared_directory(config: StudyConfig, lease: Lease) -> Iterator[Callable[[StudyConfig], None]]:
    """Makes the study's directory, or checks that it holds the same study; keeps it only if the block succeeds.

    Args:
        config: The study.
        lease: On it; once another driver has taken over, nothing is written or deleted here.

    Yields:
        Takes the study as it is to be kept, where that is settled within the block.

    Raises:
        ConfigError: See `check_directory`.
        DataError: If it cannot be written.
    """
    config = as_begun(config)
    check_directory(config)
    try:
        config.directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{config.directory}: cannot be written ({error.strerror}).") from error
    is_new = {path.stem for path in config.directory.iterdir()} <= {"driver"}  # it holds the lease and nothing else
    try:
        settled = [config]
        yield settled.append
        lease.check()
        with atomic_write(config.directory / "study.yaml") as unfinished:
            unfinished.write_text(settled[-1].to_yaml())
    except BaseException:
        if is_new and lease.is_held():
            shutil.rmtree(config.directory, ignore_errors=True)
        raise
