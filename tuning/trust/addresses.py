"""Which addresses get credentials: those that the user names, and those of studies that the user made here.

Clients of databases and of MLflow send user names, passwords and tokens of the environment to whatever host they are
given, so a study that somebody has sent must not choose it.
"""

import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from antisample.datasets.config import DataConfig
from antisample.errors import ConfigError
from antisample.storage.file_store import is_object_store
from tuning.config.database_address import database_problem
from tuning.config.study import StudyConfig
from tuning.trust.own_studies import agree, agreed_of_study
from tuning.trust.study_id import known_id


def addresses(config: StudyConfig) -> list[str]:
    """The addresses in a study that get credentials, as `agree` keeps them."""
    named = {"storage": config.storage, "tracking_uri": _server(config.tracking_uri)}
    databases = [f"{key} {address}" for key, address in named.items() if address is not None]
    stores = store_addresses(object_stores(config.data, config.storage_path))
    return [*databases, *stores, *folders(config.data, config.storage_path)]


def object_stores(data: DataConfig, storage_path: str | None = None) -> dict[str, str]:
    """The object stores that a study or card names, by the key that names each."""
    named = {"data.cache_dir": data.cache_dir, "storage_path": storage_path}
    return {key: str(place) for key, place in named.items() if place is not None and is_object_store(place)}


def folders(data: DataConfig, storage_path: str | None = None) -> list[str]:
    """Folders that a study or card names to write to, as `agree` keeps them."""
    named = (data.cache_dir, storage_path)
    return [_folder(place) for place in named if place is not None and not is_object_store(place)]


def is_own_storage(storage_path: Path | str, agreed_to: Collection[str]) -> bool:
    """Whether a study's views may be copied to its `storage_path`: what a received study names is not written to."""
    return (f"object store {storage_path}" if is_object_store(storage_path) else _folder(storage_path)) in agreed_to


def own_cache_dir(data: DataConfig, agreed_to: Collection[str]) -> Path | str:
    """The cache of a card: where it says, if this user made it here, else the one of the current directory."""
    if is_object_store(data.cache_dir) or _folder(data.cache_dir) in agreed_to:
        return data.cache_dir
    default: Path | str = DataConfig.model_fields["cache_dir"].default
    return default


def _folder(place: Path | str) -> str:
    return f"folder {Path(place).absolute()}"


def store_addresses(stores: Mapping[str, str]) -> list[str]:
    """Object stores, see `object_stores`, as `agree` keeps them."""
    return [f"object store {address}" for address in stores.values()]


def check_stores(stores: Mapping[str, str], agreed_to: Collection[str], allowed: Sequence[str] | None) -> None:
    """Makes sure that the keys of the environment go to no object store that the user has not agreed to.

    Args:
        stores: What a study or card names; see `object_stores`.
        agreed_to: What the user has agreed to before.
        allowed: What `--allow-address` says.

    Raises:
        ConfigError: If there is such an object store.
    """
    refused = {
        key: address
        for key, address in stores.items()
        if address not in (allowed or ()) and f"object store {address}" not in agreed_to
    }
    if refused:
        raise ConfigError(
            [
                f"`{key}` names the object store {address}, but you did not create this on this machine. Nothing is "
                f"sent there unless you use `--allow-address {shlex.quote(address)}`."
                for key, address in refused.items()
            ]
        )


def with_storage(config: StudyConfig, directory: Path, stated: str | None) -> StudyConfig:
    """The study with the database that it may be read from.

    Args:
        config: As the study's folder says.
        directory: That folder.
        stated: What `--storage` says; it is remembered for this study.

    Raises:
        ConfigError: If the study names a database that the user has not named, or `--storage` is none.
    """
    if stated is not None:
        if config.storage is None:
            raise ConfigError(
                f"`--storage` names the database of a study, but the trials of {directory} are in its own journal."
            )
        problem = database_problem(stated)
        if problem is not None:
            raise ConfigError(f"`--storage` {problem}.")
        config = config.model_copy(update={"storage": stated})
        _remember(directory, [f"storage {stated}"])
    elif config.storage is not None and f"storage {config.storage}" not in agreed_of_study(directory):
        raise ConfigError(
            f"{directory}: you did not create this study on this machine, and its trials are in the database "
            f"{config.storage}. Nothing is sent there unless you specify it yourself: `antisample report {directory} "
            f"--storage {config.storage}`; this is remembered."
        )
    return config


def with_tracking(config: StudyConfig, directory: Path, stated: str | None) -> StudyConfig:
    """The study with the MLflow store or server that it may be delivered to.

    Args:
        config: The study.
        directory: Its folder.
        stated: What `--tracking-uri` says, checked; it is remembered for this study.

    Raises:
        ConfigError: If the study names a server that the user has not named.
    """
    if stated is not None:
        config = config.model_copy(update={"tracking_uri": stated})
        _remember(directory, [f"tracking_uri {stated}"] if _server(stated) is not None else [])
        return config
    server = _server(config.tracking_uri)
    if server is not None and f"tracking_uri {server}" not in agreed_of_study(directory):
        raise ConfigError(
            f"{directory}: you did not create this study on this machine, and it names the MLflow server {server}. "
            f"Nothing is sent there unless you specify it yourself: `--tracking-uri {server}`; this is remembered."
        )
    return config


def _server(tracking_uri: str | None) -> str | None:
    """What of MLflow's addresses may get credentials; a file of SQLite gets none."""
    return None if tracking_uri in (None, "none") or str(tracking_uri).startswith("sqlite") else tracking_uri


def _remember(directory: Path, to: list[str]) -> None:
    subject = known_id(directory)
    if subject is not None and to:
        agree(subject, to)
