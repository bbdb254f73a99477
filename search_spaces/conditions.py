"""Conditions between parameters: which of them are active, and in which order that can be told."""

import itertools
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from search_spaces.parameters import ChoiceParameter, Parameter, Value
from search_spaces.rules import quoted

Conditions = dict[str, tuple[Any, ...]]
"""The values that parameters must have, by name."""

_MOST_CIRCLES, _MOST_CONDITIONAL = 10, 500


def same(one: Any, other: Any) -> bool:
    """Whether two values are one to a search: 1 and 1.0 are, and true is no number."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def ordered(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """The names, each after those that its condition names; as they are written where there are no conditions."""
    return tuple(_graph(parameters).static_order())


def counts(parameter: Parameter, values: Mapping[str, Any]) -> bool:
    """Whether the condition of a parameter holds.

    Args:
        parameter: Of the space.
        values: Of the parameters that count, by name; one that is missing fulfils no condition.
    """
    return all(other in values and _holds(values[other], wanted) for other, wanted in (parameter.when or {}).items())


def active(parameters: Mapping[str, Parameter], values: Mapping[str, Any]) -> tuple[str, ...]:
    """The parameters that count with these values, conditions first.

    Args:
        parameters: Of the space.
        values: Of parameters by name; one that is missing, or does not count itself, fulfils no condition.
    """
    names: dict[str, None] = {}
    counting: dict[str, Any] = {}
    for name in ordered(parameters):
        if counts(parameters[name], counting):
            names[name] = None
            if name in values:
                counting[name] = values[name]
    return tuple(names)


def described(parameter: Parameter) -> str:
    """The condition of a parameter in words; empty without one."""
    return " and ".join(f"`{n}` = {' or '.join(map(quoted, values))}" for n, values in (parameter.when or {}).items())


def conditions(parameters: Mapping[str, Parameter], fixed: Mapping[str, Value]) -> dict[str, Conditions | None]:
    """What must hold for each parameter to count, where some have one value for good.

    Args:
        parameters: Of the space.
        fixed: Values that are not searched, by name.

    Returns:
        By name, the values that parameters which are not fixed must have, chains included; None where the parameter
        never counts.
    """
    by_name: dict[str, Conditions | None] = {}
    for name in ordered(parameters):
        needed: Conditions | None = {}
        for other, values in (parameters[name].when or {}).items():
            if other in fixed:
                needed = _both(needed, by_name[other]) if _holds(fixed[other], values) else None
            else:
                needed = _both(_both(needed, by_name[other]), {other: values})
        by_name[name] = needed
    return by_name


def without_fixed(parameters: Mapping[str, Parameter], fixed: Mapping[str, Value]) -> dict[str, Parameter]:
    """The parameters that are left to search; what a fixed value decides is no condition any more."""
    needed = conditions(parameters, fixed)
    left: dict[str, Parameter] = {}
    for name, parameter in parameters.items():
        if name in fixed or needed[name] is None:
            continue
        when: Conditions | None = {}
        for other, values in (parameter.when or {}).items():
            when = _both(when, needed[other] if other in fixed else {other: values})
        left[name] = parameter.model_copy(update={"when": when or None})
    return left


def condition_problems(parameters: Mapping[str, Parameter], names: Mapping[str, Any]) -> list[str]:
    """What is wrong with the conditions, a sentence each.

    Args:
        parameters: Those that are valid by themselves.
        names: All of the space.
    """
    problems: list[str] = []
    n_conditional = sum(parameter.when is not None for parameter in parameters.values())
    if n_conditional > _MOST_CONDITIONAL:  # what follows from conditions grows with their square
        return [f"`parameters`: at most {_MOST_CONDITIONAL} may have conditions (`when`), but {n_conditional} have."]
    for name, parameter in parameters.items():
        for other, values in (parameter.when or {}).items():
            key = f"`parameters.{name}.when`"
            named = parameters.get(other)
            if other == name:
                problems.append(f"{key} must name other parameters, but names {quoted(name)} itself.")
            elif other not in names:
                problems.append(f"{key} must name parameters of the space, but got {quoted(other)}.")
            elif named is not None and not isinstance(named, ChoiceParameter):
                problems.append(f"{key} must name parameters with `choices`, but {quoted(other)} has a range.")
            elif named is not None:
                choices = ", ".join(map(quoted, named.choices))
                problems += [
                    f"`parameters.{name}.when.{other}` must be one of the choices of {quoted(other)}, {choices}, "
                    f"but got {'nothing' if value is None else quoted(value)}."
                    for value in values
                    if not named.contains(value)
                ]
    problems += _circles(parameters)
    if not problems and parameters.keys() == names.keys():
        problems += [
            f"`parameters.{name}.when` can never hold, together with the conditions of the parameters that it names."
            for name, needed in conditions(parameters, {}).items()
            if needed is None
        ]
    return problems


def _graph(parameters: Mapping[str, Parameter]) -> TopologicalSorter[str]:
    """Which parameters the condition of each names, as far as they are there."""
    graph: TopologicalSorter[str] = TopologicalSorter()
    for name, parameter in parameters.items():
        graph.add(name, *(other for other in parameter.when or () if other in parameters and other != name))
    return graph


def _circles(parameters: Mapping[str, Parameter]) -> list[str]:
    """A sentence for each circle of conditions, up to a number that can be read."""
    problems: list[str] = []
    left = dict(parameters)
    while len(problems) < _MOST_CIRCLES:
        try:
            _graph(left).prepare()
        except CycleError as error:
            circle = error.args[1][::-1]
            said = ", ".join(f"{quoted(one)} names {quoted(other)}" for one, other in itertools.pairwise(circle))
            problems.append(f"`parameters`: conditions must not go in a circle, but {said}.")
            left = {name: parameter for name, parameter in left.items() if name not in circle}
        else:
            break
    return problems


def _holds(value: Any, values: tuple[Any, ...]) -> bool:
    return any(same(value, one) for one in values)


def _both(one: Conditions | None, other: Conditions | None) -> Conditions | None:
    """Two conditions at once; None if they exclude each other."""
    if one is None or other is None:
        return None
    merged = dict(one)
    for name, values in other.items():
        merged[name] = tuple(v for v in merged[name] if _holds(v, values)) if name in merged else values
        if not merged[name]:
            return None
    return merged
