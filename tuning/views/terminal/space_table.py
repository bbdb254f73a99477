"""A search space as a person reads it."""

from search_spaces import ChoiceParameter, Parameter


def value_range(parameter: Parameter) -> str:
    """What a hyperparameter can be: its choices, or its range and the scale that is searched on."""
    if isinstance(parameter, ChoiceParameter):
        *others, last = map(str, parameter.choices)
        return f"{', '.join(others)} or {last}" if others else last
    kind = ("whole, " if parameter.integer else "") + ("log" if parameter.log else "linear")
    return f"{parameter.low:g} to {parameter.high:g} ({kind})"
