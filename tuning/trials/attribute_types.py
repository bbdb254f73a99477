"""What a trial's attributes hold where the search wrote them; see `tuning.trials.value_types`."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field

from tuning.trials.value_types import (
    AnyText,
    Counts,
    Figures,
    Milliseconds,
    StrictModel,
    Text,
    Whole,
    adapter_of,
    misfit,
)


class _Partial(StrictModel):
    metrics: Figures
    standard_error: Figures = Field(default_factory=dict)


class _Attributes(StrictModel):
    key: Text = ""
    number: Whole = 0
    origin: Text = ""
    seeds: list[Whole] = Field(default_factory=list)
    metrics: Figures = Field(default_factory=dict)
    spread: Figures = Field(default_factory=dict)
    counts: Counts = Field(default_factory=dict)
    started_ms: Milliseconds = 0
    finished_ms: Milliseconds = 0
    worker: Text | None = None
    versions: dict[Text, Text] = Field(default_factory=dict)
    error: AnyText | None = None
    failure: Text | None = None
    partial: _Partial | None = None
    batch_halvings: Whole = 0
    retries: Whole = 0
    rung: Whole | None = None


class _Step(StrictModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    step: Whole
    replicate: Whole
    timestamp_ms: Milliseconds
    elapsed_s: float
    evaluation_s: float
    train_loss: float
    metrics: Figures
    last: bool = False
    worker: Text = ""


_ATTRIBUTES, _STEP = adapter_of(_Attributes), adapter_of(_Step)


def check_attributes(attributes: Mapping[str, Any], step_prefix: str) -> None:
    """Checks the attributes of a trial, those of others but for the search's own names excepted.

    Raises:
        ValueError: If one holds what no search writes there.
    """
    problem = _problem(attributes, step_prefix)
    if problem is not None:
        raise ValueError(problem)


def well_formed(attributes: Mapping[str, Any], step_prefix: str) -> bool:
    """Whether the attributes hold what a search writes there; see `check_attributes`."""
    return _problem(attributes, step_prefix) is None


def _problem(attributes: Mapping[str, Any], step_prefix: str) -> str | None:
    problem = misfit(_ATTRIBUTES, dict(attributes))
    steps = (value for name, value in attributes.items() if name.startswith(step_prefix))
    return problem or next((text for text in (misfit(_STEP, step) for step in steps) if text is not None), None)
