"""The parameters of a search space: numbers and choices, and when they count."""

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from search_spaces.rules import quoted, unusable

Value = float | int | str | bool
"""What a hyperparameter can be."""

_EXACT = 2.0**53
"""Up to here a float holds every whole number."""


def _listed(conditions: Any) -> Any:
    """Conditions in which a single value stands for a list of one."""
    if not isinstance(conditions, dict):
        return conditions
    return {name: values if isinstance(values, list | tuple) else (values,) for name, values in conditions.items()}


When = Annotated[
    dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]], BeforeValidator(_listed), Field(min_length=1)
]
"""Values by the name of another parameter; see `NumberParameter.when`."""


class NumberParameter(BaseModel):
    """A number from an interval, both bounds included.

    Attributes:
        low: Smallest value.
        high: Largest value, larger than `low`.
        log: Whether to search on a logarithmic scale; `low` must then be larger than 0.
        integer: Whether only whole numbers count.
        why: The reason for searching this parameter in this range.
        when: The parameter is active only where each choice named here has one of these values; None for always.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: float
    high: float
    log: bool = False
    integer: bool = False
    why: str = Field(min_length=1)
    when: When | None = None

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
        when: See `NumberParameter`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    choices: tuple[Any, ...] = Field(min_length=2)
    why: str = Field(min_length=1)
    when: When | None = None

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
