"""Reading a study from its YAML file, with `--set` overrides and every problem at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import BaseModel, ValidationError

from antisample.config import validation_problems
from antisample.errors import ConfigError
from antisample.export.chain import begun_after
from antisample.storage.regular_files import read_regular
from antisample.validation.settings import unusable
from antisample.validation.spelling import nearest
from search_spaces.yaml_loader import LONGEST
from tuning.config.space import name_problems
from tuning.config.spelled_yaml import kind_of, load_spelled
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan


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


def read_values(path: Path, *, inside: Path | None = None) -> dict[str, Any]:
    """Reads the keys and values of a study's file, unchecked; names in it keep their spelling.

    Args:
        path: The file.
        inside: See `open_regular`.

    Raises:
        ConfigError: If it is not there, cannot be read, or holds something else.
    """
    if not path.is_file():
        raise ConfigError(f"the study file does not exist.{meant_path(path, Path.is_file)}", str(path))
    try:
        text = read_regular(path, inside=inside, most=4 * LONGEST).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"not readable as UTF-8: {error}.", str(path)) from error
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror}).", str(path)) from error
    return values_of(text, str(path))


def meant_path(path: Path, fits: Callable[[Path], bool]) -> str:
    """A question that follows a sentence on a path that is not there: one beside it that it may be a misspelling of.

    Args:
        path: As it was written.
        fits: Whether another one could be meant.
    """
    try:
        name = (
            None if path.exists() else nearest(path.name, [each.name for each in path.parent.iterdir() if fits(each)])
        )
    except OSError:
        return ""
    return "" if name is None else f" Did you mean {str(path.with_name(name))!r}?"


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
        values = begun_after(values)
        config = StudyConfig.model_validate(values)
        TrialPlan.of(config)
        return config
    except ValidationError as error:
        problems = validation_problems(error)
        if not isinstance(values.get("forget"), list | tuple):  # one request, which was made a list of one
            problems = [problem.replace("`forget.0.", "`forget.") for problem in problems]
        keys = {_key(problem) for problem in problems}
        more = [problem for problem in _raw_name_problems(values) if _key(problem) not in keys]
        raise ConfigError(problems + more, source) from error
    except ConfigError as error:
        raise ConfigError(error.problems, source) from error


def _raw_name_problems(values: dict[str, Any]) -> list[str]:
    """`name_problems` of values that did not validate, as far as they have the right types."""
    model, method, space = values.get("model"), values.get("method"), values.get("space")
    name = model.get("name") if isinstance(model, dict) else None
    fixed, published, recipes = values.get("fixed"), values.get("published"), values.get("recipes")
    return name_problems(
        method if _is_text(method) else "antisample",
        name if _is_text(name) else "SmallCNN",
        space if _is_text(space) else None,
        {key: value for key, value in fixed.items() if _is_text(key)} if isinstance(fixed, dict) else {},
        [name for name in published if _is_text(name)] if isinstance(published, list) else (),
        [name for name in recipes if _is_text(name)] if isinstance(recipes, list) else False,
    )


def _key(problem: str) -> str:
    """The key that a sentence is about: it stands first, in backquotes."""
    return problem.partition("`")[2].partition("`")[0]


def _is_text(value: Any) -> TypeGuard[str]:
    """Whether it is text that can be looked up; of other text the configuration itself says what is wrong."""
    return isinstance(value, str) and unusable(value) is None


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
            raise ConfigError(f"`--set {override}`: `{parent}` is a value and has no keys.")
    try:
        target[last] = load_spelled(text, kind_of(kind, last))
    except ConfigError as error:
        raise ConfigError([f"`--set {override}`: {problem}" for problem in error.problems]) from error
