"""Reading a study from its YAML file, with `--set` overrides and every problem at once."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from antisample.config import validation_problems
from antisample.errors import ConfigError
from tuning.config import StudyConfig
from tuning.names import name_problems
from tuning.spelled_yaml import kind_of, load_spelled


def load_study(path: Path, overrides: list[str] | None = None) -> StudyConfig:
    """Reads a study from YAML.

    Relative paths in it are relative to the folder one stands in.

    Args:
        path: The YAML file.
        overrides: `key=value` pairs with dotted keys; see `override_value`.

    Returns:
        The study.

    Raises:
        ConfigError: With every problem found, before anything starts.
    """
    values = read_values(path)
    for override in overrides or []:
        override_value(values, override, StudyConfig)
    return parse_study(values, str(path))


def read_values(path: Path) -> dict[str, Any]:
    """Reads the keys and values of a study's file, unchecked; names in it keep their spelling.

    Raises:
        ConfigError: If it is not there, or holds something else.
    """
    if not path.is_file():
        raise ConfigError("the study file does not exist.", str(path))
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"not readable as UTF-8: {error}.", str(path)) from error
    return values_of(text, str(path))


def values_of(text: str, source: str) -> dict[str, Any]:
    """The keys and values of a study's YAML, unchecked; names in it keep their spelling.

    Args:
        text: The YAML.
        source: Where it comes from, for messages.

    Raises:
        ConfigError: If it holds something else.
    """
    try:
        values = load_spelled(text, StudyConfig)
    except ConfigError as error:
        raise ConfigError(error.problems, source) from error
    if not isinstance(values, dict):
        raise ConfigError("expected keys and values, such as `name: my-study`.", source)
    return values


def parse_study(values: dict[str, Any], source: str | None = None) -> StudyConfig:
    """Validates plain values; see `load_study`."""
    try:
        return StudyConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(validation_problems(error) + _raw_name_problems(values), source) from error
    except ConfigError as error:
        raise ConfigError(error.problems, source) from error


def _raw_name_problems(values: dict[str, Any]) -> list[str]:
    """`name_problems` of values that did not validate, as far as they have the right types."""
    model = values.get("model")
    fixed, published = values.get("fixed") or {}, values.get("published") or ()
    return name_problems(
        str(values.get("method", "antisample")),
        str(model.get("name", "SmallCNN")) if isinstance(model, dict) else "SmallCNN",
        str(values["space"]) if values.get("space") else None,
        fixed if isinstance(fixed, dict) else {},
        [str(name) for name in published] if isinstance(published, list) else (),
    )


def override_value(values: dict[str, Any], override: str, config_type: type[BaseModel]) -> None:
    """Sets one value of nested dictionaries in place from `key=value`, the key dotted, the value read as YAML.

    Args:
        values: What the configuration is made of.
        override: The key and the value; names keep their spelling.
        config_type: The configuration.

    Raises:
        ConfigError: If it is not of that form.
    """
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise ConfigError(f"`--set` takes key=value, but got {override!r}.")
    *parents, last = key.strip().split(".")
    target, kind = values, config_type
    for parent in parents:
        target, kind = target.setdefault(parent, {}), kind_of(kind, parent)
        if not isinstance(target, dict):
            raise ConfigError(f"`--set {override}`: `{parent}` holds a value, not keys.")
    try:
        target[last] = load_spelled(text, kind_of(kind, last))
    except ConfigError as error:
        raise ConfigError([f"`--set {override}`: {problem}" for problem in error.problems]) from error
