"""What a study refers to by name: method, model, search space, published sets and recipes."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from antisample.config import validation_problems
from antisample.errors import ConfigError
from antisample.methods import MethodConfig, find_method, method_names, method_plugin
from antisample.models import check_name
from antisample.validation.spelling import did_you_mean
from search_spaces import ChoiceParameter, Parameter, SearchSpace, SpaceError, Value, load_space, space_names
from tuning.config.starting_points import find_starting_points, recipes_of


class StudySpace(NamedTuple):
    """The search space of a study.

    Attributes:
        whole: As it is loaded.
        searched: Without what is fixed.
    """

    whole: SearchSpace
    searched: SearchSpace

    def in_force(self, fixed: Mapping[str, Value], params: Mapping[str, Value]) -> dict[str, Value]:
        """The values of a trial: fixed ones as far as they count beside those that are searched, then the latter.

        Args:
            fixed: Values that are not searched; some of them may count only with certain values of others.
            params: Values of the parameters that are searched.
        """
        values = {**fixed, **params}
        counting = self.whole.active(values)
        conditional = {name for name, parameter in self.whole.parameters.items() if parameter.when is not None}
        return {n: v for n, v in values.items() if n in params or n not in conditional or n in counting}


def find_space(method: str, space: str | None, fixed: Mapping[str, Value], *, flips: bool = True) -> StudySpace:
    """Loads a space and takes out what is fixed.

    Args:
        method: The unlearning method to tune.
        space: A packaged space or a path; the method's own if None.
        fixed: What is not searched, by name.
        flips: Whether the original was trained on mirrored images. Otherwise a packaged space does not mirror any,
            since a mirrored image may mean something else; a space of the user's own does what it says.

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
        if not flips and loaded.name in space_names():
            loaded = loaded.without_choice("augment", "flip_shift")
        left = loaded.without(fixed)
    except SpaceError as error:
        problems = [p if p.startswith("`space`") else f"`space` {error.source}: {p}" for p in error.problems]
        raise ConfigError(problems) from error
    problems = [
        f"`space` {loaded.name!r} has a parameter {name!r}, which the method {method!r} does not have."
        f"{did_you_mean(name, fields)}"
        for name in loaded.parameters
        if name not in fields
    ]
    if loaded.method != method:
        problems.append(f"`space` {loaded.name!r} is for the method {loaded.method!r}, not {method!r}.")
    elif not problems:
        problems += [
            f"`space` {loaded.name!r}: {problem}"
            for name, parameter in left.parameters.items()
            for problem in _misfits(config_type, name, parameter, loaded.activating(name, fixed))
        ]
    if problems:
        raise ConfigError(problems)
    return StudySpace(loaded, left)


def _misfits(
    config_type: type[MethodConfig], name: str, parameter: Parameter, beside: Sequence[Mapping[str, Value]]
) -> list[str]:
    """What of a parameter the method does not take, each rule once.

    Args:
        config_type: Of the method.
        name: Of the parameter.
        parameter: The parameter.
        beside: Values of others with which it counts: each must go with each of its own.
    """
    problems: dict[str, str] = {}
    for value, others in itertools.product(_extremes(parameter), beside):
        refused = [
            problem.replace("`", "`parameters.", 1) for problem in _refusals(config_type, {**others, name: value})
        ]
        if not refused and isinstance(value, str):
            read = getattr(config_type.model_validate({**others, name: value}), name)
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


def _fixed_refusals(
    config_type: type[MethodConfig], whole: SearchSpace | None, fixed: Mapping[str, Value]
) -> list[str]:
    """What of the fixed values the method does not take; one that counts only with others is tried with those."""
    beside = {
        name: others
        for name in fixed
        if whole is not None and name in whole.parameters and whole.parameters[name].when is not None
        for others in whole.activating(name, fixed)[:1]
    }
    always = {name: value for name, value in fixed.items() if name not in beside}
    problems = _refusals(config_type, always)
    for name, others in beside.items():
        problems += [p for p in _refusals(config_type, {**always, **others, name: fixed[name]}) if p not in problems]
    return problems


def name_problems(
    method: str,
    model: str,
    space: str | None,
    fixed: Mapping[str, Value],
    published: Sequence[str],
    recipes: bool | Sequence[str] | None = None,
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
    found: StudySpace | None = None
    others: list[str] = []
    try:
        found = find_space(method, space, fixed)
        find_starting_points(method, found.searched, published, recipes_of(method, space, recipes), fixed)
    except ConfigError as error:
        others = list(error.problems)
    config_type = find_method(method).config_type
    refused = _fixed_refusals(config_type, found.whole if found is not None else None, fixed)
    return [*problems, *map(_as_fixed, refused), *others]


def _as_fixed(problem: str) -> str:
    """A problem of a hyperparameter, of one that a study fixes: both the key and the one that was meant."""
    return problem.replace("`", "`fixed.", 1).replace("Did you mean `", "Did you mean `fixed.")
