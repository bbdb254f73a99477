"""What each note of a study holds. A journal may have been edited, or come from somebody else: notes are checked."""

from collections import Counter
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter

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
        raise ValueError("the runs have different metrics from the first")
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
