"""Search spaces as data: which parameters, in which range, and why. No search library is needed to read one."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from search_spaces.conditions import active, condition_problems, conditions, counts, described, ordered, without_fixed
from search_spaces.parameters import ChoiceParameter, NumberParameter, Parameter, Value
from search_spaces.rules import quoted, sentence, unusable
from search_spaces.spelling import did_you_mean
from search_spaces.yaml_loader import LONGEST, UniqueKeyLoader

RECIPES = "recipes.yaml"
"""The file beside the spaces that is none; see `search_spaces.recipes`."""


class SpaceError(Exception):
    """A search space does not exist or breaks a rule. `problems` holds one sentence each."""

    def __init__(self, problems: list[str], source: str) -> None:
        self.problems, self.source = problems, source
        super().__init__(f"{source}: " + " ".join(problems))


class SearchSpace(BaseModel):
    """A named set of parameters for one method.

    Attributes:
        name: Of the packaged space or of the file.
        method: The unlearning method whose configuration takes the parameters.
        parameters: By the name that the method's configuration uses.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    method: str
    parameters: dict[str, Parameter] = Field(min_length=1)

    @model_validator(mode="after")
    def _conditions_hold(self) -> "SearchSpace":
        problems = condition_problems(self.parameters, self.parameters)
        if problems:
            raise SpaceError(problems, self.name)
        return self

    @property
    def has_conditions(self) -> bool:
        """Whether some parameters count only with certain values of others."""
        return any(parameter.when is not None for parameter in self.parameters.values())

    def active(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """The parameters that count with these values, each after those that decide about it.

        Args:
            params: Values by name; where one is missing, what depends on it does not count.
        """
        return active(self.parameters, params)

    def order(self) -> tuple[str, ...]:
        """All parameters, each after those that decide about it."""
        return ordered(self.parameters)

    def counts(self, name: str, params: Mapping[str, Any]) -> bool:
        """Whether a parameter counts with the values of those before it in `order` that count."""
        return counts(self.parameters[name], params)

    def condition(self, name: str) -> str:
        """When a parameter counts, in words; empty if always."""
        return described(self.parameters[name])

    def activating(self, name: str, fixed: Mapping[str, Value]) -> list[dict[str, Value]]:
        """Values of others with which a parameter counts; each value that its conditions name is among them.

        Args:
            name: Of the parameter.
            fixed: Values that are not searched; they stay.

        Returns:
            At least one set of values; none where the parameter never counts with what is fixed.
        """
        needed = conditions(self.parameters, fixed)[name]
        if needed is None:
            return []
        others = {other for other in self._above(name) if other in fixed}
        first = {
            **{other: fixed[other] for other in others},
            **{other: values[0] for other, values in needed.items()},
        }
        varied = [{**first, other: value} for other, values in needed.items() for value in values[1:]]
        return [first, *varied]

    def _above(self, name: str) -> set[str]:
        """The parameters that decide about one, also through others."""
        names: set[str] = set()
        waiting = [name]
        while waiting:
            new = set(self.parameters[waiting.pop()].when or ()) - names
            names |= new
            waiting += new
        return names

    def without_choice(self, name: str, choice: Value) -> "SearchSpace":
        """The space in which a parameter cannot be this value; the same where that cannot be, or leaves no choice."""
        parameter = self.parameters.get(name)
        if not isinstance(parameter, ChoiceParameter) or choice not in parameter.choices:
            return self
        left = tuple(each for each in parameter.choices if each != choice)
        if len(left) < 2:
            return self
        return self.model_copy(
            update={"parameters": {**self.parameters, name: parameter.model_copy(update={"choices": left})}}
        )

    def without(self, fixed: Mapping[str, Value]) -> "SearchSpace":
        """The space with some parameters taken out, because they are fixed.

        What depends on a fixed parameter is searched always, or not at all.

        Args:
            fixed: Values by name.

        Raises:
            SpaceError: If nothing is left to search.
        """
        left = without_fixed(self.parameters, fixed)
        if not left:
            decided = [name for name in self.parameters if name not in fixed]
            why = f"; {', '.join(decided)} would only count with other values" if decided else ""
            every = "the values that are fixed leave" if decided else "fixing every parameter leaves"
            raise SpaceError([f"{every} nothing to search{why}."], self.name)
        return self.model_copy(update={"parameters": left})

    def fingerprint(self) -> str:
        """Digest of what may be suggested; reasons do not count."""
        content = {
            name: parameter.model_dump(mode="json", exclude={"why"} | ({"when"} if parameter.when is None else set()))
            for name, parameter in self.parameters.items()
        }
        text = json.dumps([self.method, content], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def space_names() -> tuple[str, ...]:
    """Names of the packaged spaces."""
    files = Path(__file__).parent.glob("*.yaml")
    return tuple(sorted(path.stem for path in files if path.name != RECIPES))


def earlier_space(method: str) -> str:
    """The packaged space of a method as it was while studies did not keep the name of their space."""
    return next((name for name in space_names() if name == f"{method}-published"), method)


def load_space(source: str | Path) -> SearchSpace:
    """Loads a packaged space by name or a user's own file.

    Args:
        source: A name of `space_names()`, or the path of a YAML file with `method` and `parameters`.

    Returns:
        The space.

    Raises:
        SpaceError: If there is none, or it breaks a rule; all problems at once.
    """
    text = str(source)
    is_path = text.endswith((".yaml", ".yml"))
    path = Path(text) if is_path else Path(__file__).parent / f"{text}.yaml"
    if unusable(text) is not None or not (os.path.isfile(path) if is_path else text in space_names()):  # noqa: PTH113  (Path.is_file raises for long names)
        names = ", ".join(space_names())
        problem = f"`space` must be one of {names} or the path of a YAML file, but got {quoted(text)}."
        raise SpaceError([problem + did_you_mean(text, space_names())], text)
    try:
        with path.open("rb") as file:
            written = file.read(4 * LONGEST).decode()
        content = yaml.load(written, UniqueKeyLoader)  # noqa: S506  (a safe loader)
    except OSError as error:
        raise SpaceError([f"cannot be read ({error.strerror})."], text) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: numbers of 5,000 digits, no UTF-8
        raise SpaceError([f"not readable as YAML: {' '.join(str(error).split())}."], text) from error
    if not isinstance(content, dict):
        raise SpaceError(["expected the keys `method` and `parameters`."], text)
    problems = _parameter_problems(content.get("parameters"))
    if not problems:
        try:
            return SearchSpace.model_validate({"name": path.stem, **content})
        except SpaceError as error:
            problems = error.problems
        except ValidationError as error:
            problems = [sentence(item, keys=SearchSpace.model_fields) for item in error.errors(include_url=False)]
    raise SpaceError(problems, text)


def _parameter_problems(parameters: Any) -> list[str]:
    """Validates each parameter as what it looks like, so that messages do not speak of the other kind."""
    problems: list[str] = []
    valid: dict[str, Parameter] = {}
    named = parameters if isinstance(parameters, dict) else {}
    for name, values in named.items():
        kind = ChoiceParameter if isinstance(values, dict) and "choices" in values else NumberParameter
        try:
            valid[name] = kind.model_validate(values)
        except ValidationError as error:
            keys = kind.model_fields
            problems += [sentence(item, f"parameters.{name}", keys) for item in error.errors(include_url=False)]
    return [*problems, *condition_problems(valid, named)] if problems else []
