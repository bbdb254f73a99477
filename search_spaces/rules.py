"""The rules that a space breaks, in words of our own; search spaces have their own, since they stand alone."""

import math
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from search_spaces.spelling import nearest

_RULES = {
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be valid UTF-8",
    "string_too_short": "must not be empty",
    "tuple_type": "must be a list",
    "dict_type": "must contain keys and values",
    "model_type": "must contain keys and values",
    "model_attributes_type": "must contain keys and values",
    "invalid_key": "must have text as keys",
}
_MOST_SHOWN = 60


def sentence(item: Any, prefix: str = "", keys: Iterable[str] = ()) -> str:
    """One problem of a space: the key, the rule and the value.

    Args:
        item: One of pydantic's errors.
        prefix: The key of what was validated.
        keys: Those that it may have, of which an unknown one may be a misspelling.
    """
    parts = [part for part in (prefix, *map(str, item["loc"])) if part]
    if parts[-1:] == ["[key]"]:
        return f"`{'.'.join(parts[:-2])}` must have text as keys, but got {parts[-2]}."
    key = ".".join(parts)
    if item["type"] == "extra_forbidden":
        return f"`{key}` is not a setting.{_meant(item, parts, keys)}"
    if item["type"] == "missing":
        return f"`{key}` is required."
    if item["type"] == "value_error":
        return f"`{key}`: {item['msg'].removeprefix('Value error, ')}."
    if item["type"] == "too_short":
        least = item["ctx"]["min_length"]
        return f"`{key}` must have at least {least} value{'s' * (least > 1)}, but got {quoted(item['input'])}."
    rule = _RULES.get(item["type"], item["msg"])
    return f"`{key}` {rule}, but got {'nothing' if item['input'] is None else quoted(item['input'])}."


def _meant(item: Any, parts: Sequence[str], keys: Iterable[str]) -> str:
    name = nearest(item["loc"][-1], keys)
    return "" if name is None else f" Did you mean `{'.'.join([*parts[:-1], name])}`?"


def unusable(value: Any) -> str | None:
    """Why a hyperparameter cannot be this value, whatever it is for; None if it can."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int) and not -(2**63) < value < 2**63:
        return f"must fit into 64 bits, but got {quoted(value)}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"must be a finite number, but got {value}"
    if isinstance(value, str) and ("\0" in value or any("\ud800" <= character <= "\udfff" for character in value)):
        return f"must be valid UTF-8 without null bytes, but got {quoted(value)}"
    if not isinstance(value, int | float | str):
        return f"must be a number, text, true or false, but got {'nothing' if value is None else quoted(value)}"
    return None


def quoted(value: Any) -> str:
    """A value for a message, cut where it is very long."""
    try:
        plain = str(value) if isinstance(value, date) else repr(value)
        text = ascii(value) if isinstance(value, str) and not value.isprintable() else plain
    except ValueError:  # Python writes whole numbers of up to 4,300 digits alone
        return "a number of thousands of digits"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}... ({len(text):,} characters)"
