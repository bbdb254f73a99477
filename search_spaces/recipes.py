"""Recipes: named sets of hyperparameters that we have measured, with the record of the measurement."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from search_spaces.parameters import Value
from search_spaces.rules import quoted, sentence, unusable
from search_spaces.space import RECIPES, SpaceError
from search_spaces.yaml_loader import LONGEST, UniqueKeyLoader


class Recipe(BaseModel):
    """One recipe.

    Attributes:
        name: Unique among recipes.
        method: The unlearning method whose configuration takes the parameters.
        parameters: By the names that the configuration uses; the rest are the method's defaults.
        record: Path, in this repository, of the record of the command that measured it.
        data: Data sets that it was measured on, for information.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    method: str = Field(min_length=1)
    parameters: dict[str, Any] = Field(min_length=1)
    record: str = Field(min_length=1)
    data: tuple[str, ...] = ()

    @field_validator("parameters")
    @classmethod
    def _usable(cls, parameters: dict[str, Any]) -> dict[str, Value]:
        for name, value in parameters.items():
            if (rule := unusable(value)) is not None:
                raise ValueError(f"the value of {quoted(name)} {rule}")
        return parameters


def load_recipes(path: Path) -> dict[str, Recipe]:
    """Reads a file of recipes.

    Args:
        path: A YAML file with `method`, `parameters`, `record` and `data` by name; it may be empty.

    Returns:
        The recipes by name, in the order of the file.

    Raises:
        SpaceError: If it cannot be read or breaks a rule; all problems at once.
    """
    source = str(path)
    try:
        with path.open("rb") as file:
            content = yaml.load(file.read(4 * LONGEST).decode(), UniqueKeyLoader)  # noqa: S506  (a safe loader)
    except OSError as error:
        raise SpaceError([f"cannot be read ({error.strerror})."], source) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SpaceError([f"not readable as YAML: {' '.join(str(error).split())}."], source) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SpaceError(["expected recipes by name."], source)
    recipes: dict[str, Recipe] = {}
    problems: list[str] = []
    for name, values in content.items():
        if not isinstance(values, dict):
            problems.append(f"`{name}` must contain keys and values, but got {quoted(values)}.")
            continue
        try:
            recipes[name] = Recipe.model_validate({**values, "name": name})
        except ValidationError as error:
            problems += [sentence(item, str(name), Recipe.model_fields) for item in error.errors(include_url=False)]
    if problems:
        raise SpaceError(problems, source)
    return recipes


@cache
def packaged_recipes() -> dict[str, Recipe]:
    """The packaged recipes by name."""
    return load_recipes(Path(__file__).parent / RECIPES)
