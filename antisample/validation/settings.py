"""What all configurations have in common: which values they refuse, whatever the key."""

import math
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from antisample.validation.addresses import holds_password
from antisample.validation.spelling import nearest

_LARGEST = 2**63 - 1


class Settings(BaseModel):
    """Base of configurations: frozen, without unknown keys, of values that can be computed with and stored.

    YAML has values that are valid and of no use: infinities, `.nan`, whole numbers that no machine holds, `yes` where
    a number belongs, text that no file can hold. All of them are refused, in lists and dictionaries too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_boolean_for_a_number(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        numbers = {name for name, field in cls.model_fields.items() if _takes_numbers_alone(field.annotation)}
        return {
            name: _Boolean(value) if isinstance(value, bool) and name in numbers else value
            for name, value in values.items()
        }

    @model_validator(mode="before")
    @classmethod
    def _unknown_keys_with_what_was_meant(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.keys() <= cls.model_fields.keys():
            return values
        return {
            name: value if name in cls.model_fields else UnknownKey(_meant(cls, name))
            for name, value in values.items()
        }

    @field_validator("*", mode="after")
    @classmethod
    def _usable(cls, value: Any) -> Any:
        for one in _single(value):
            if (rule := unusable(one)) is not None:
                raise ValueError(rule)
            if isinstance(one, str) and holds_password(one):
                raise ValueError(
                    "must hold no password, token or key, since it is stored and displayed; they are taken from "
                    "the environment, or from files such as ~/.pgpass"
                )
        return value


def unusable(value: Any) -> str | None:
    """The rule that a single value breaks whatever it is for, with the value; None if it breaks none."""
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        return f"must fit into 64 bits, but got {shown(value)}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"must be a finite number, but got {value}"
    if isinstance(value, str) and ("\0" in value or _has_surrogates(value)):
        return f"must be valid UTF-8 without null bytes, but got {shown(value)}"
    return None


def shown(value: Any, longest: int = 80) -> str:
    """A value for a message, in ASCII where it is no text that can be printed, and cut where it is very long."""
    try:
        text = repr(str(value) if hasattr(value, "__fspath__") else value)
    except ValueError:  # Python writes whole numbers of up to 4,300 digits alone
        return "a number of thousands of digits"
    if _has_surrogates(text):
        text = ascii(value)
    return text if len(text) <= longest else f"{text[: longest - 20]}... ({len(text):,} characters)"


def _has_surrogates(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _single(value: Any) -> Iterator[Any]:
    """The single values in a value: of dictionaries the keys, too; what a configuration holds is not looked into."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _single(one)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from _single(one)
    else:
        yield str(value) if hasattr(value, "__fspath__") else value


class UnknownKey:
    """Stands in the place of a value whose key does not exist, for the message.

    Attributes:
        meant: The key, dotted, that it may be a misspelling of; None if there is none.
    """

    def __init__(self, meant: str | None) -> None:
        self.meant = meant


def _meant(config_type: type[BaseModel], key: Any) -> str | None:
    """The key that one is a misspelling of, or one of that name a level below."""
    fields = {name: field for name, field in config_type.model_fields.items() if not _is_settled(field.annotation)}
    below = [
        f"{name}.{key}"
        for name, field in fields.items()
        if isinstance(field.annotation, type)
        and issubclass(field.annotation, BaseModel)
        and key in field.annotation.model_fields
    ]
    return below[0] if len(below) == 1 else nearest(key, fields)


def _is_settled(annotation: Any) -> bool:
    """Whether a key can have one value alone, such as the name of a method: nobody writes it."""
    return get_origin(annotation) is Literal and len(get_args(annotation)) == 1


class _Boolean:
    """A boolean that pydantic takes for no number."""

    def __init__(self, value: bool) -> None:
        self._value = value

    def __repr__(self) -> str:
        return repr(self._value)


def _takes_numbers_alone(annotation: Any) -> bool:
    """Whether a single number may stand there, and no boolean."""
    kinds = get_args(annotation) or (annotation,)
    if any(_takes_numbers_alone(kind) for kind in kinds if kind is not annotation and get_args(kind)):
        return bool not in kinds
    return (
        bool not in kinds and (int in kinds or float in kinds) and get_origin(annotation) not in (tuple, list, dict)
    )
