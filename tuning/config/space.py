"""What a study refers to by name: method, model, search space and published sets."""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import ValidationError

from antisample.config import validation_problems
from antisample.errors import ConfigError
from antisample.methods import MethodConfig, find_method, method_names, method_plugin
from antisample.models import check_name
from search_spaces import ChoiceParameter, Parameter, SearchSpace, SpaceError, Value, load_space, published_set


def find_space(method: str, space: str | None, fixed: Iterable[str]) -> SearchSpace:
    """Loads a space and takes out what is fixed.

    Args:
        method: The unlearning method to tune.
        space: A packaged space or a path; the method's own if None.
        fixed: Names of what is not searched.

    Returns:
        The space.

    Raises:
        ConfigError: If the space does not exist, breaks a rule, is of another method, or holds values that the method
            refuses.
    """
    config_type = find_method(method).config_type
    fields = config_type.model_fields.keys() - {"name"}
    if space is None and method_plugin(method) is not None:
        raise ConfigError(f"`space` must be the path of a YAML file: the method {method!r} comes without a space.")
    try:
        loaded = load_space(space or method)
        left = loaded.without(set(fixed))
    except SpaceError as error:
        problems = [p if p.startswith("`space`") else f"`space` {error.source}: {p}" for p in error.problems]
        raise ConfigError(problems) from error
    problems = [
        f"`space` {loaded.name!r} has a parameter {name!r}, which the method {method!r} does not have."
        for name in loaded.parameters
        if name not in fields
    ]
    if loaded.method != method:
        problems.append(f"`space` {loaded.name!r} is for the method {loaded.method!r}, not {method!r}.")
    problems += [
        f"`space` {loaded.name!r}: {problem}"
        for name, parameter in left.parameters.items()
        if name in fields and loaded.method == method
        for problem in _misfits(config_type, name, parameter)
    ]
    if problems:
        raise ConfigError(problems)
    return left


def _misfits(config_type: type[MethodConfig], name: str, parameter: Parameter) -> list[str]:
    """What of a parameter the method does not take, each rule once."""
    problems: dict[str, str] = {}
    for value in _extremes(parameter):
        refused = [problem.replace("`", "`parameters.", 1) for problem in _refusals(config_type, {name: value})]
        if not refused and isinstance(value, str):
            read = getattr(config_type.model_validate({name: value}), name)
            if not isinstance(read, str):  # the same value could stand there twice, and views would take it for text
                refused = [f"`parameters.{name}.choices` must not hold text, but got {value!r}; write it as {read}."]
        for problem in refused:
            problems.setdefault(problem.partition(", but got")[0], problem)
    return list(problems.values())


def _extremes(parameter: Parameter) -> tuple[Value, ...]:
    """What a method must take to take every value: each choice, or both ends and a fraction between them."""
    if isinstance(parameter, ChoiceParameter):
        return parameter.choices
    low, high = parameter.low, parameter.high
    return (int(low), int(high)) if parameter.integer else (low, high, low + 0.382 * (high - low))


def _refusals(config_type: type[MethodConfig], values: Mapping[str, Value]) -> list[str]:
    try:
        config_type.model_validate(dict(values))
    except ValidationError as error:
        return validation_problems(error)
    return []


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
    named = [(f"published {each.name}", each.parameters) for each in sets] or [("defaults", {})]
    points = [(origin, {name: {**defaults, **values}[name] for name in space.parameters}) for origin, values in named]
    problems = [
        f"`space` does not contain {name} = {value!r} of the starting point {origin!r}; extend it, or remove the "
        "starting point."
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
    """Everything wrong with the names in a study and with its fixed values; nothing that they name is imported."""
    problems: list[str] = []
    for check in (lambda: check_name(model), lambda: find_method(method)):
        try:
            check()
        except ConfigError as error:
            problems += error.problems
    if method not in method_names():
        return problems
    refused = _refusals(find_method(method).config_type, fixed)
    problems += [problem.replace("`", "`fixed.", 1) for problem in refused]
    try:
        find_starting_points(method, find_space(method, space, fixed), published)
    except ConfigError as error:
        problems += error.problems
    return problems
