"""What a study tries first: published sets or the method's defaults, then recipes."""

from collections.abc import Mapping, Sequence
from typing import Any

from antisample.errors import ConfigError
from antisample.methods import find_method
from antisample.validation.spelling import did_you_mean
from search_spaces import Recipe, SearchSpace, SpaceError, Value, packaged_recipes, published_set

RECIPE = "recipe "
"""How the origin of a recipe begins; its name follows."""
StartingPoint = tuple[str, dict[str, Value]]
"""Origin and searched parameters."""


def recipes_of(method: str, space: str | None, recipes: bool | Sequence[str] | None) -> bool | Sequence[str]:
    """What a study says of recipes: by default all of them with the method's own space, and none with another."""
    return space in (None, method) if recipes is None else recipes


def find_starting_points(
    method: str,
    space: SearchSpace,
    published: Sequence[str],
    recipes: bool | Sequence[str],
    fixed: Mapping[str, Value],
) -> list[StartingPoint]:
    """Published sets, or else the method's defaults, and then recipes, cut down to what is searched and counts.

    Args:
        method: The unlearning method to tune.
        space: What is searched.
        published: Names of published sets.
        recipes: Names of recipes, or whether to try all of the method that fit.
        fixed: Values of the method that are not searched.

    Returns:
        Pairs of origin and parameters.

    Raises:
        ConfigError: If a set or a recipe that is named does not exist or lies outside the space.
    """
    fields = find_method(method).config_type.model_fields
    defaults = {name: field.default for name, field in fields.items()}
    try:
        sets = [published_set(name) for name in published]
    except SpaceError as error:
        raise ConfigError(error.problems) from error
    named = [(f"published {each.name}", each.parameters) for each in sets] or [("defaults", {})]
    points = [(origin, _cut_down(space, {**defaults, **values})) for origin, values in named]
    problems = [
        f"`space` does not contain {name} = {value!r} of the starting point {origin!r}; extend it, or remove the "
        "starting point."
        for origin, point in points
        for name, value in point.items()
        if not space.parameters[name].contains(value)
    ]
    for recipe in _chosen(method, recipes, problems):
        settled = {**defaults, **fixed}
        differing = _differing(recipe, space, settled)
        point = _cut_down(space, {**defaults, **recipe.parameters})
        if not differing and point not in [earlier for _, earlier in points]:
            points.append((f"{RECIPE}{recipe.name}", point))
        elif differing and not isinstance(recipes, bool):
            problems.append(
                f"`recipes` must name recipes that lie in the search space, but {recipe.name!r} has {differing}."
            )
    if problems:
        raise ConfigError(problems)
    return points


def _cut_down(space: SearchSpace, values: Mapping[str, Any]) -> dict[str, Value]:
    counting = space.active(values)
    return {name: values[name] for name in space.parameters if name in counting}


def _chosen(method: str, recipes: bool | Sequence[str], problems: list[str]) -> list[Recipe]:
    """The recipes to try; says which of those that are named do not exist."""
    of_method = {name: recipe for name, recipe in packaged_recipes().items() if recipe.method == method}
    if isinstance(recipes, bool):
        return list(of_method.values()) if recipes else []
    for name in recipes:
        if name not in of_method:
            choices = f"one of {', '.join(of_method)}" if of_method else "empty"
            problems.append(
                f"`recipes` must be {choices} for the method {method!r}, but got {name!r}."
                f"{did_you_mean(name, of_method)}"
            )
    return [of_method[name] for name in dict.fromkeys(recipes) if name in of_method]


def _differing(recipe: Recipe, space: SearchSpace, settled: Mapping[str, Any]) -> str:
    """Where a trial with this space could not be the recipe, in words; empty if it can."""
    values = {**settled, **recipe.parameters}
    counting = space.active(values)
    return ", ".join(
        f"{name} = {values[name]!r}"
        for name in dict.fromkeys([*recipe.parameters, *counting])
        if (
            not space.parameters[name].contains(values[name])
            if name in counting
            else settled.get(name) != values[name]
        )
    )
