"""The rules that a cluster file breaks, in words of our own; launchers have their own, since they stand alone."""

import math
import unicodedata
from collections.abc import Iterable
from typing import Any

from antisample.validation.spelling import did_you_mean, nearest

_RULES = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must fit into 64 bits",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be valid UTF-8",
    "path_type": "must be a path",
    "tuple_type": "must be a list",
    "dict_type": "must contain keys and values",
    "model_type": "must contain keys and values",
    "model_attributes_type": "must contain keys and values",
    "invalid_key": "must have text as keys",
    "greater_than_equal": "must be at least {ge}",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "must be {expected_tags}",
}
_MOST_SHOWN = 60
_BREAKING = ("Cc", "Zl", "Zp")


def sentence(error: Any, keys: Iterable[str] = ()) -> str:
    """One problem of a cluster file: the key, the rule and the value.

    Args:
        error: One of pydantic's, of a value whose first key is the launcher.
        keys: Those that there are where it is, of which an unknown one may be a misspelling.
    """
    key, kind, value = ".".join(str(part) for part in error["loc"][1:]) or "launcher", error["type"], error["input"]
    if kind in ("missing", "union_tag_not_found"):
        return f"`{key}` is required."
    if kind == "extra_forbidden":
        parent, dot, name = key.rpartition(".")
        meant = nearest(name, keys)
        return f"`{key}` is not a setting." + (f" Did you mean `{parent}{dot}{meant}`?" if meant is not None else "")
    if kind == "value_error":
        rule = error["msg"].removeprefix("Value error, ")
        return f"`{key}`: {rule[0].lower()}{rule[1:]}."
    limits = error.get("ctx", {})
    rule = _RULES.get(kind, error["msg"]).format_map(limits)
    got = limits.get("tag", value) if kind == "union_tag_invalid" else value
    meant = did_you_mean(got, str(limits.get("expected_tags") or limits.get("expected") or "").split("'")[1::2])
    return f"`{key}` {rule}, but got {'nothing' if got is None else quoted(got)}.{meant}"


def unusable(value: Any) -> str | None:
    """Why a value is of no use whatever it is for, looking into lists and dictionaries; None if it is."""
    if isinstance(value, dict):
        return next((rule for one in (*value, *value.values()) if (rule := unusable(one)) is not None), None)
    if isinstance(value, list | tuple):
        return next((rule for one in value if (rule := unusable(one)) is not None), None)
    if isinstance(value, int) and not -(2**63) < value < 2**63:
        return f"must fit into 64 bits, but got {quoted(value)}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"must be a finite number, but got {value}"
    return _unusable_text(str(value)) if isinstance(value, str) or hasattr(value, "__fspath__") else None


def _unusable_text(text: str) -> str | None:
    if any(character != "\t" and unicodedata.category(character) in _BREAKING for character in text):
        return f"must be a single line without control characters, but got {quoted(text)}"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return f"must be valid UTF-8, but got {quoted(text)}"
    return None


def quoted(value: Any) -> str:
    """A value for a message, cut where it is very long."""
    try:
        text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    except ValueError:  # Python writes whole numbers of up to 4,300 digits alone
        return "a number of thousands of digits"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}... ({len(text):,} characters)"
