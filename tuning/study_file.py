"""Reading a study from its YAML file, with `--set` overrides and every problem at once."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from antisample.config import validation_problems
from antisample.errors import ConfigError
from tuning.config import StudyConfig
from tuning.names import name_problems


def load_study(path: Path, overrides: list[str] | None = None) -> StudyConfig:
    """Reads a study from YAML.

    Relative paths in it are relative to the folder one stands in.

    Args:
        path: The YAML file.
        overrides: `key=value` pairs with dotted keys; values are read as YAML.

    Returns:
        The study.

    Raises:
        ConfigError: With every problem found, before anything starts.
    """
    values = read_values(path)
    for override in overrides or []:
        override_value(values, override)
    return parse_study(values, str(path))


def read_values(path: Path) -> dict[str, Any]:
    """Reads the keys and values of a study's file, unchecked.

    Raises:
        ConfigError: If it is not there, or holds something else.
    """
    if not path.is_file():
        raise ConfigError("the study file does not exist.", str(path))
    try:
        values = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"not readable as YAML: {' '.join(str(error).split())}.", str(path)) from error
    if not isinstance(values, dict):
        raise ConfigError("expected keys and values, such as `name: my-study`.", str(path))
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


def override_value(values: dict[str, Any], override: str) -> None:
    """Sets one value of nested dictionaries in place from `key=value`, the key dotted, the value read as YAML.

    Raises:
        ConfigError: If it is not of that form.
    """
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise ConfigError(f"`--set` takes key=value, but got {override!r}.")
    *parents, last = key.strip().split(".")
    target = values
    for parent in parents:
        target = target.setdefault(parent, {})
        if not isinstance(target, dict):
            raise ConfigError(f"`--set {override}`: `{parent}` holds a value, not keys.")
    try:
        target[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"`--set {override}`: the value is not readable as YAML.") from error
