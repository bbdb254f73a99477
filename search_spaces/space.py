"""Search spaces as data: which parameters, in which range, and why. No search library is needed to read one."""

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from search_spaces.rules import quoted, sentence, unusable
from search_spaces.yaml_loader import LONGEST, UniqueKeyLoader

Value = float | int | str | bool
"""What a hyperparameter can be."""

_EXACT = 2.0**53
"""Up to here a float holds every whole number."""


class SpaceError(Exception):
    """A search space does not exist or breaks a rule. `problems` holds one sentence each."""

    def __init__(self, problems: list[str], source: str) -> None:
        self.problems, self.source = problems, source
        super().__init__(f"{source}: " + " ".join(problems))


class NumberParameter(BaseModel):
    """A number from an interval, both bounds included.

    Attributes:
        low: Smallest value.
        high: Largest value, larger than `low`.
        log: Whether to search on a logarithmic scale; `low` must then be larger than 0.
        integer: Whether only whole numbers count.
        why: The reason for searching this parameter in this range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: float
    high: float
    log: bool = False
    integer: bool = False
    why: str = Field(min_length=1)

    @field_validator("low", "high", mode="before")
    @classmethod
    def _a_number(cls, bound: Any) -> Any:
        if isinstance(bound, bool) or (isinstance(bound, int) and unusable(bound) is not None):
            raise ValueError(f"must be a number of 64 bits, but got {quoted(bound)}")
        return bound

    @model_validator(mode="after")
    def _ordered(self) -> "NumberParameter":
        if not self.low < self.high:
            raise ValueError(f"`high` must be larger than `low`, but got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"`low` must be larger than 0 on a logarithmic scale, but got {self.low}")
        if self.integer and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"bounds of an integer must be whole numbers, but got {self.low} and {self.high}")
        if self.integer and max(abs(self.low), abs(self.high)) > _EXACT:
            raise ValueError(
                f"bounds of an integer must be in [-2**53, 2**53], but got {self.low:g} and {self.high:g}"
            )
        if not math.isfinite(self.high - self.low):
            raise ValueError(f"`high` and `low` are too far apart for a search, with {self.low} and {self.high}")
        return self

    def contains(self, value: Any) -> bool:
        """Whether the parameter can take `value`."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (not self.integer or float(value).is_integer())


class ChoiceParameter(BaseModel):
    """One of several values.

    Attributes:
        choices: At least two distinct values.
        why: The reason for searching this parameter.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    choices: tuple[Any, ...] = Field(min_length=2)
    why: str = Field(min_length=1)

    @field_validator("choices")
    @classmethod
    def _distinct(cls, choices: tuple[Any, ...]) -> tuple[Value, ...]:
        for choice in choices:
            if (rule := unusable(choice)) is not None:
                raise ValueError(f"each choice {rule}")
        for position, choice in enumerate(choices):
            same = next((other for other in choices[:position] if other == choice), None)
            if same is not None:  # Optuna would take 1, 1.0 and true for one choice
                raise ValueError(f"must contain each value only once, but got {quoted(same)} and {quoted(choice)}")
        return choices

    def contains(self, value: Any) -> bool:
        """Whether the parameter can take `value`."""
        return any(value == choice and type(value) is type(choice) for choice in self.choices)


Parameter = NumberParameter | ChoiceParameter
"""One entry of a space."""


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

    def without(self, names: set[str]) -> "SearchSpace":
        """The space with some parameters taken out, because they are fixed.

        Raises:
            SpaceError: If nothing is left to search.
        """
        left = {name: parameter for name, parameter in self.parameters.items() if name not in names}
        if not left:
            raise SpaceError(["fixing every parameter leaves nothing to search."], self.name)
        return self.model_copy(update={"parameters": left})

    def fingerprint(self) -> str:
        """Digest of what may be suggested; reasons do not count."""
        content = {
            name: parameter.model_dump(mode="json", exclude={"why"}) for name, parameter in self.parameters.items()
        }
        text = json.dumps([self.method, content], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def space_names() -> tuple[str, ...]:
    """Names of the packaged spaces."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.yaml")))


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
    path = Path(text) if text.endswith((".yaml", ".yml")) else Path(__file__).parent / f"{text}.yaml"
    if unusable(text) is not None or not os.path.isfile(path):  # noqa: PTH113  (Path.is_file raises for long names)
        names = ", ".join(space_names())
        problem = f"`space` must be one of {names} or the path of a YAML file, but got {quoted(text)}."
        raise SpaceError([problem], text)
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
        except ValidationError as error:
            problems = [sentence(item) for item in error.errors(include_url=False)]
    raise SpaceError(problems, text)


def _parameter_problems(parameters: Any) -> list[str]:
    """Validates each parameter as what it looks like, so that messages do not speak of the other kind."""
    problems = []
    for name, values in parameters.items() if isinstance(parameters, dict) else ():
        kind = ChoiceParameter if isinstance(values, dict) and "choices" in values else NumberParameter
        try:
            kind.model_validate(values)
        except ValidationError as error:
            problems += [sentence(item, f"parameters.{name}") for item in error.errors(include_url=False)]
    return problems
