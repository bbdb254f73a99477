"""Cards on disk, and what they say of machine and files."""

import hashlib
import json
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

import antisample
from antisample.config import UnlearnConfig, plugins_used, validation_problems
from antisample.device import choose_device, describe_device
from antisample.errors import ConfigError, DataError
from antisample.export.card import UnlearningCard
from antisample.export.card_parts import EnvironmentFacts, PluginFacts
from antisample.export.card_text import card_text
from antisample.plugins.discovery import Plugin
from antisample.plugins.requirements import check_plugins
from antisample.storage.atomic import atomic_write
from antisample.storage.regular_files import open_regular, read_start
from antisample.validation.settings import shown

CARD_FILES = ("card.json", "card.md")
_LARGEST = 32 * 2**20
_DEEPEST = 50
_SAMPLES = "`{}` must be a list of samples, but got text."


def read_card(path: Path) -> UnlearningCard:
    """Reads a card, which may come from anybody.

    Raises:
        DataError: If it is missing, or no JSON of a size that a card has.
        ConfigError: With everything in it that breaks the schema, or the plug-ins that it needs and that are not
            installed.
    """
    values = _read_json(path)
    if not isinstance(values, dict):
        raise DataError(f"{path}: not a card, which holds keys and values as JSON.")
    if _names_a_list_of_samples(values.get("config")):
        raise ConfigError(_SAMPLES.format("config.forget.samples"), str(path))
    try:
        check_plugins(_needed_plugins(values), "The card")
        return UnlearningCard.model_validate(values)
    except ValidationError as error:
        raise ConfigError(validation_problems(error), str(path)) from error
    except ConfigError as error:
        raise ConfigError(error.problems, str(path)) from error


def _needed_plugins(values: dict[str, Any]) -> list[Plugin]:
    """The plug-ins that a card states and that its configuration names, as far as it can be read at all."""
    try:
        plugins = TypeAdapter(tuple[PluginFacts, ...]).validate_python(values["environment"]["plugins"])
        config = values["config"]
        named = {"method": [config["method"]["name"]], "dataset": [config["data"]["source"]]}
        named["metric"] = list(config.get("evaluation", {}).get("final", ()))
    except (AttributeError, KeyError, TypeError, ValidationError):
        return []  # the schema says what is wrong
    return [facts.plugin() for facts in plugins if facts.name in named.get(facts.kind, ())]


def card_config(values: dict[str, Any]) -> UnlearnConfig:
    """The configuration that a model file holds, which may come from anybody; no file that it names is read.

    Raises:
        ConfigError: With every problem found.
    """
    if _names_a_list_of_samples(values):
        raise ConfigError(_SAMPLES.format("forget.samples"))
    return UnlearnConfig.parse(values)


def _names_a_list_of_samples(config: Any) -> bool:
    forget = config.get("forget") if isinstance(config, dict) else None
    return isinstance(forget, dict) and isinstance(forget.get("samples"), str)


def _read_json(path: Path) -> Any:
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: not a card, since it is not a regular file.")
        content = read_start(path, _LARGEST + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    if len(content) > _LARGEST:
        raise DataError(f"{path}: not a card, since it is larger than {_LARGEST >> 20} MB.")
    try:
        return parse_json(content)
    except ValueError as error:
        raise DataError(f"{path}: not a card, since it {error}.") from error


def parse_json(content: bytes | str) -> Any:
    """What a JSON text holds, of keys that stand once and of values that a card can hold.

    Args:
        content: The text; bytes in UTF-8.

    Raises:
        ValueError: With what is wrong, in words that follow the name of the text: "is not readable as JSON (...)".
    """
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (byte {error.start})") from error
    try:
        values = json.loads(text, object_pairs_hook=_each_once)
    except _TwiceError:
        raise
    except json.JSONDecodeError as error:
        raise ValueError(f"is not readable as JSON ({error})") from error
    except RecursionError as error:
        raise ValueError(f"is not readable as JSON (nested deeper than {_DEEPEST} levels)") from error
    except ValueError as error:  # Python reads whole numbers of up to 4,300 digits alone
        raise ValueError("holds a number of thousands of digits") from error
    if _is_deep(values):
        raise ValueError(f"is nested deeper than {_DEEPEST} levels")
    return values


class _TwiceError(ValueError):
    """A key stands twice in the same object."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _TwiceError(f"holds the key {shown(twice)} twice")
    return values


def _is_deep(values: Any) -> bool:
    level = [values]
    for _ in range(_DEEPEST):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
    return bool(level)


def write_card(folder: Path, card: UnlearningCard) -> None:
    """Writes `card.json` and `card.md`.

    Raises:
        DataError: If they cannot be written.
    """
    content = card.model_dump_json(indent=2) + "\n"
    for_people = card_text(UnlearningCard.model_validate_json(content))
    for name, text in zip(CARD_FILES, (content, for_people), strict=True):
        with atomic_write(folder / name) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


def environment_facts(config: UnlearnConfig, not_deterministic: list[str]) -> EnvironmentFacts:
    """What is known of this machine, and of the plug-ins that a configuration uses on it."""
    return EnvironmentFacts(
        versions={
            "antisample": antisample.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        plugins=tuple(
            PluginFacts(**asdict(plugin))
            for plugin in plugins_used(config.method.name, config.evaluation, config.data)
        ),
        device=describe_device(choose_device(config.device)),
        machine=f"{platform.system()} {platform.machine()}",
        threads=torch.get_num_threads(),
        not_deterministic=tuple(not_deterministic),
    )


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def now() -> str:
    """The time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
