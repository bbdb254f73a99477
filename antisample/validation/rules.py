"""The rules that values of a configuration break, in words of our own: pydantic's speak of Python."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from antisample.validation.settings import UnknownKey, shown
from antisample.validation.spelling import did_you_mean

_LABEL = re.compile(r"(float|int|str|bool|path|none|[a-z-]+\[.*|constrained-.*)")
"""What pydantic puts into the place of a value that may be of several types, as if it were a key."""

_KINDS = {
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
}

_SIZES = {
    "string_too_short": ("min_length", "at least", "character"),
    "too_short": ("min_length", "at least", "value"),
    "too_long": ("max_length", "at most", "value"),
}
_BOUNDS = {
    "greater_than": "greater than",
    "greater_than_equal": "greater than or equal to",
    "less_than": "less than",
    "less_than_equal": "less than or equal to",
}
_PLAIN = {
    "finite_number": "be a finite number",
    "int_parsing_size": "fit into 64 bits",
    "invalid_key": "have text as keys",
    "string_unicode": "be valid UTF-8",
    "string_sub_type": "be text",
    "dict_type": "contain keys and values",
    "model_type": "contain keys and values",
    "model_attributes_type": "contain keys and values",
}
_LONG = 80


def problems_of(errors: Sequence[Mapping[str, Any]], first_key: str = "configuration") -> list[str]:
    """One sentence a problem: the key, the rule and the value.

    Args:
        errors: What pydantic's `ValidationError.errors()` returns.
        first_key: What the whole is called, where it is wrong itself.
    """
    by_key: dict[str, list[Mapping[str, Any]]] = {}
    for error in errors:
        if (
            error["type"] == "default_factory_not_called"
        ):  # a default that depends on a value with a problem of its own
            continue
        if (
            error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]
        ):  # a value in it is wrong
            continue
        by_key.setdefault(_key_of(error) or first_key, []).append(error)
    return [_problem(key, several) for key, several in by_key.items()]


def _key_of(error: Mapping[str, Any]) -> str:
    """The key as a user writes it, without what pydantic adds to it."""
    parts = [str(part) for part in error["loc"] if not (isinstance(part, str) and _LABEL.fullmatch(part))]
    if parts[-1:] == ["[key]"]:
        parts = parts[:-2]
    elif error["type"] == "invalid_key":
        parts = parts[:-1]
    elif error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        parts.append(error["ctx"]["discriminator"].strip("'"))
    return ".".join(parts)


def _problem(key: str, errors: Sequence[Mapping[str, Any]]) -> str:
    """The sentence for one key; its errors are several where a value may be of several types."""
    error = next((error for error in errors if error["type"] not in _KINDS), errors[0])
    kind, value, limits = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(key, value)
    if kind in ("missing", "union_tag_not_found"):
        return f"`{key}` is required."
    if kind == "string_too_long":
        return f"`{key}` is too long: it may have {limits['max_length']} characters, but has {len(value)}."
    if kind == "value_error":
        return _own(key, error["msg"].removeprefix("Value error, "), value)
    got = shown(limits["tag"]) if kind == "union_tag_invalid" else _got(value)
    choices = re.findall(r"'([^']*)'", str(limits.get("expected") or limits.get("expected_tags") or ""))
    meant = did_you_mean(limits.get("tag", value), choices)
    return f"`{key}` must {_rule(error, errors)}, but got {got}.{meant}"


def _unknown(key: str, value: Any) -> str:
    parent, dot, _ = key.rpartition(".")
    meant = value.meant if isinstance(value, UnknownKey) else None
    return f"`{key}` is not a setting." + (f" Did you mean `{parent}{dot}{meant}`?" if meant is not None else "")


def _own(key: str, rule: str, value: Any) -> str:
    """A rule of our own, which says itself what it got."""
    if isinstance(value, str) and len(value) > _LONG:
        rule = rule.replace(repr(value), shown(value))
    end = "" if rule.endswith("?") else "."
    return f"`{key}` {rule}{end}" if rule.startswith(("must ", "is ")) else f"`{key}`: {rule}{end}"


def _rule(error: Mapping[str, Any], errors: Sequence[Mapping[str, Any]]) -> str:
    """What follows "must"."""
    kind, limits, message = error["type"], error.get("ctx", {}), error["msg"]
    if error["loc"][-1:] == ("[key]",):
        return _PLAIN["invalid_key"]
    if kind in _KINDS or (kind == "literal_error" and len(errors) > 1):
        kinds = [_KINDS[each["type"]] for each in errors if each["type"] in _KINDS]
        kinds += [limits["expected"]] if kind == "literal_error" else []
        if "a path" in kinds and "text" in kinds:
            kinds.remove("text")
        return f"be {_either(list(dict.fromkeys(kinds)))}"
    if kind in _SIZES:
        bound, words, what = _SIZES[kind]
        return f"have {words} {limits[bound]} {what}{'s' * (limits[bound] > 1)}"
    if kind in _BOUNDS:
        bound = next(iter(limits.values()))
        return f"be {_BOUNDS[kind]} {int(bound) if float(bound).is_integer() else bound}"
    if kind in ("literal_error", "union_tag_invalid"):
        return f"be {limits.get('expected') or 'one of ' + limits['expected_tags']}"
    rule = message.removeprefix("Input should be ").removeprefix("a ").removeprefix("valid ")
    return _PLAIN.get(kind, f"be {rule[:1].lower()}{rule[1:]}")


def _either(kinds: Sequence[str]) -> str:
    return f"{', '.join(kinds[:-1])} or {kinds[-1]}" if len(kinds) > 1 else kinds[0]


def _got(value: Any) -> str:
    return "nothing" if value is None else shown(value)
