"""What the search keeps in a trial, by type: others may write attributes of the same names, with anything in them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tuning.records import STEP_PREFIX

_Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_Moment = Annotated[int, Field(ge=0, le=2**53)]


def _valid(text: str) -> str:
    text.encode()  # a ValueError where surrogates are in it, which no view can hold
    return text


_Text = Annotated[str, AfterValidator(_valid)]
_Figures = dict[_Text, float]


class _Attributes(BaseModel):
    model_config = ConfigDict(strict=True)


class _Step(_Attributes):
    model_config = ConfigDict(strict=True, extra="forbid")

    step: _Whole
    replicate: _Whole
    timestamp_ms: _Moment
    elapsed_s: float
    evaluation_s: float
    train_loss: float
    metrics: _Figures
    last: bool = False
    worker: _Text = ""


class _Partial(_Attributes):
    metrics: _Figures
    standard_error: _Figures = {}


class _Trial(_Attributes):
    key: _Text = ""
    origin: _Text = ""
    seeds: list[_Whole] = []
    metrics: _Figures = {}
    spread: _Figures = {}
    counts: dict[_Text, _Whole] = {}
    partial: _Partial | None = None
    started_ms: _Moment | None = None
    finished_ms: _Moment | None = None
    worker: _Text | None = None
    versions: dict[_Text, _Text] = {}
    error: _Text | None = None
    batch_halvings: _Whole = 0
    retries: _Whole = 0


def well_formed(attributes: Mapping[str, Any]) -> bool:
    """Whether what is named as the search names it is of the types that it writes."""
    try:
        _Trial.model_validate(dict(attributes))
        for name, value in attributes.items():
            if name.startswith(STEP_PREFIX):
                _Step.model_validate(value)
    except (ValidationError, OverflowError):
        return False
    return True
