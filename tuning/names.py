"""What a study refers to by name: method, model, search space and published sets."""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import ValidationError

from antisample.config import validation_problems
from antisample.errors import ConfigError
from antisample.methods import find_method, method_names
from antisample.models import find_builder
from search_spaces import SearchSpace, SpaceError, Value, load_space, published_set


def find_space(method: str, space: str | None, fixed: Iterable[str]) -> SearchSpace:
    """Loads a space and takes out what is fixed.

    Args:
        method: The unlearning method to tune.
        space: A packaged space or a path; the method's own if None.
        fixed: Names of what is not searched.

    Returns:
        The space.

    Raises:
        ConfigError: If the space does not exist, breaks a rule, or is of another method.
    """
    known = find_method(method).config_type.model_fields
    try:
        found = load_space(space or method)
        left = found.without(set(fixed))
    except SpaceError as error:
        raise ConfigError([f"`space` {error.source}: {problem}" for problem in error.problems]) from error
    problems = [
        f"`space` {found.name!r} has a parameter {name!r}, which the method {method!r} does not know."
        for name in found.parameters
        if name not in known or name == "name"
    ]
    if found.method != method:
        problems.append(f"`space` {found.name!r} is for the method {found.method!r}, not {method!r}.")
    if problems:
        raise ConfigError(problems)
    return left


def find_starting_points(
    method: str, space: SearchSpace, published: Sequence[str]
) -> list[tuple[str, dict[str, Value]]]:
    """Published sets, or else the method's defaults, cut down to the parameters of the space.

    Args:
        method: The unlearning method to tune.
        space: What is searched.
        published: Names of published sets.

    Returns:
        Pairs of origin and parameters.

    Raises:
        ConfigError: If a set does not exist or lies outside the space.
    """
    fields = find_method(method).config_type.model_fields
    defaults = {name: field.default for name, field in fields.items()}
    try:
        sets = [published_set(name) for name in published]
    except SpaceError as error:
        raise ConfigError(error.problems) from error
    named = [(f"published {found.name}", found.parameters) for found in sets] or [("defaults", {})]
    points = [(origin, {name: {**defaults, **values}[name] for name in space.parameters}) for origin, values in named]
    problems = [
        f"`space` does not hold {name} = {value!r} of the starting point {origin!r}; widen it, or leave the "
        "starting point out."
        for origin, point in points
        for name, value in point.items()
        if not space.parameters[name].contains(value)
    ]
    if problems:
        raise ConfigError(problems)
    return points


def name_problems(
    method: str, model: str, space: str | None, fixed: Mapping[str, Value], published: Sequence[str]
) -> list[str]:
    """Everything wrong with the names in a study and with its fixed values."""
    problems: list[str] = []
    for check in (lambda: find_builder(model), lambda: find_method(method)):
        try:
            check()
        except ConfigError as error:
            problems += error.problems
    if method not in method_names():
        return problems
    try:
        find_method(method).config_type.model_validate(dict(fixed))
    except ValidationError as error:
        problems += [problem.replace("`", "`fixed.", 1) for problem in validation_problems(error)]
    try:
        find_starting_points(method, find_space(method, space, fixed), published)
    except ConfigError as error:
        problems += error.problems
    return problems
