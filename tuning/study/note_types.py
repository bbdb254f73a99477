"""What each note of a study holds. A journal may have been edited, or come from somebody else: notes are checked."""

from collections import Counter
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError

Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Milliseconds = Annotated[int, Field(ge=0, le=253_370_764_800_000)]
"""Since 1970, up to the year 9999."""


def _valid(text: str) -> str:
    text.encode()  # a ValueError where surrogates are in it, which no view can hold
    return text


Text = Annotated[str, Field(max_length=1_000_000), AfterValidator(_valid)]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("Input should be a valid string")
    return value


AnyText = Annotated[str, PlainValidator(_text)]
"""Text that may hold surrogates, as names of files and messages may: they are replaced where it is shown."""
Figures = dict[Text, float]
Counts = dict[Text, Whole]
STRICT = ConfigDict(strict=True)


class StrictModel(BaseModel):
    """Keys and values of fixed types, none of which is converted; other keys are left alone."""

    model_config = STRICT


class _Preprocessing(StrictModel):
    mean: list[float]
    std: list[float]


class _Confirmation(StrictModel):
    number: Whole
    seed: Whole
    metrics: Figures
    counts: Counts
    elapsed_s: float = 0.0


class _End(StrictModel):
    timestamp_ms: Milliseconds
    trials: Whole
    chosen: Whole | None
    values: Figures


class _Place(StrictModel):
    directory: AnyText
    inode: Whole


class _WarmStart(StrictModel):
    source: AnyText
    same_problem: bool
    n: Whole


class _Learned(StrictModel):
    params: dict[Text, Any]
    values: list[float]
    constraints: Figures | None = None


def _same_figures(runs: list[_Confirmation]) -> list[_Confirmation]:
    if len(Counter(frozenset(run.metrics) for run in runs)) > 1:
        raise ValueError("the runs have other figures than the first")
    return runs


_Cell = Annotated[list[Annotated[int, Field(ge=0, lt=2**63)]], Field(min_length=3, max_length=3)]
_TYPES: dict[str, Any] = {
    "class_names": list[AnyText],
    "command": AnyText,
    "confirmations": Annotated[list[_Confirmation], AfterValidator(_same_figures)],
    "confusions": dict[Text, list[_Cell]],
    "copy_name": AnyText,
    "created_ms": Milliseconds,
    "endings": list[_End],
    "environment": dict[Text, AnyText],
    "fingerprints": dict[Text, Text],
    "forget_requests": Annotated[list[list[Annotated[int, Field(ge=0, lt=2**63)]]], Field(min_length=1)],
    "forgetting": list[AnyText],
    "id": Text,
    "images": Counts,
    "learned": list[_Learned],
    "notes": list[AnyText],
    "original": Figures,
    "original_counts": Counts,
    "place": _Place,
    "preprocessing": _Preprocessing,
    "settings": AnyText,
    "warm_start": _WarmStart,
}
_ADAPTERS: dict[str, TypeAdapter[Any]] = {}


def note_problem(name: str, value: Any) -> str | None:
    """Why a note cannot be what the search kept under its name; None if it can, or no search keeps such a note."""
    if name not in _TYPES:
        return None
    if name not in _ADAPTERS:
        _ADAPTERS[name] = adapter_of(_TYPES[name])
    return misfit(_ADAPTERS[name], value)


def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """What checks values of a type, and converts none."""
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return TypeAdapter(kind, config=None if is_model else STRICT)


def misfit(adapter: TypeAdapter[Any], value: Any) -> str | None:
    """Why a value does not fit a type, in a few words; None if it does."""
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:100]
        return f"{place}: {first['msg']}" if place else str(first["msg"])
    except (RecursionError, OverflowError):
        return "it is nested too deeply, or a number is too large"
    return None
