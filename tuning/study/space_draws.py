"""Parameters drawn evenly from a search space, for what is to be said of the space as a whole."""

import math
from collections.abc import Mapping

from antisample.seeds import numpy_stream
from search_spaces import ChoiceParameter, Parameter, SearchSpace, Value


def even_draws(space: SearchSpace, n: int) -> list[dict[str, Value]]:
    """Draws parameter sets so that the values of each parameter are spread evenly over its range or choices.

    Args:
        space: What is searched.
        n: How many, at least 1.

    Returns:
        The same sets at every call; a parameter whose condition does not hold is missing from a set.
    """
    turns = {name: numpy_stream(0, "even draws", name).permutation(n) for name in space.parameters}
    draws: list[dict[str, Value]] = []
    for i in range(n):
        params: dict[str, Value] = {}
        for name in space.order():
            if space.counts(name, params):
                params[name] = _value(space.parameters[name], (float(turns[name][i]) + 0.5) / n)
        draws.append(params)
    return draws


def bounds(space: SearchSpace, fixed: Mapping[str, Value], name: str, default: float) -> tuple[float, float]:
    """The least and the largest value that a hyperparameter may have in a trial.

    Args:
        space: What is searched.
        fixed: What is not.
        name: Of the hyperparameter, which is a number.
        default: Its value where neither says anything.
    """
    parameter = space.parameters.get(name)
    if parameter is None:
        value = float(fixed.get(name, default))
        return value, value
    if isinstance(parameter, ChoiceParameter):
        values = [float(choice) for choice in parameter.choices]
        return min(values), max(values)
    return parameter.low, parameter.high


def _value(parameter: Parameter, place: float) -> Value:
    """The value at a place in (0, 1) of what a parameter can be."""
    if isinstance(parameter, ChoiceParameter):
        choice: Value = parameter.choices[int(place * len(parameter.choices))]
        return choice
    low, high = parameter.low, parameter.high
    if parameter.integer:
        low, high = low - 0.5, high + 0.5
    if parameter.log and low > 0:
        drawn = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
    else:
        drawn = low + place * (high - low)
    if parameter.integer:
        return int(min(max(round(drawn), parameter.low), parameter.high))
    return drawn
