"""Types of what a study and its trials keep: strict, since a journal may have been edited or come from elsewhere."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError
from typing_extensions import is_typeddict

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


def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """What checks values of a type, and converts none."""
    has_its_own = (isinstance(kind, type) and issubclass(kind, BaseModel)) or is_typeddict(kind)
    return TypeAdapter(kind, config=None if has_its_own else STRICT)


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
