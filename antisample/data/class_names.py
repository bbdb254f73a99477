"""Class names as people write them: which class is meant, and nothing that only looks like it."""

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from numbers import Integral
from typing import Any

from antisample.errors import ConfigError

_LISTED = 12
_NUMBER = re.compile(
    r"[+-]?(0x[0-9a-f]+|0o[0-7]+|0b[01]+|(\d+([.,]\d*)*|[.,]\d+)(e[+-]?\d+)?(/\d+)?|inf|infinity|nan)%?",
    re.IGNORECASE,
)
_PART = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,]*)),')


def as_written(names: Any) -> tuple[str, ...]:
    """Class names or labels of a configuration as text.

    Args:
        names: One or several strings or whole numbers; arrays and tensors of them, too.

    Returns:
        Each as it was written, once.

    Raises:
        ValueError: If one is something else: a boolean, a date or a float is never a label, even where Python takes
            it for a number.
    """
    values = names.tolist() if hasattr(names, "tolist") else names
    several = list(values) if isinstance(values, list | tuple | set | frozenset | range) else [values]
    if not several:
        raise ValueError("must name at least one class")
    for value in several:
        if isinstance(value, bool) or not isinstance(value, str | Integral) or value == "":
            raise ValueError(
                f"must be class names or labels, but got {value!r} ({type(value).__name__}); a name that looks like "
                "something else is given as a string"
            )
    # Not str(value), which names the member of an enumeration and not its value.
    return tuple(dict.fromkeys(value[:] if isinstance(value, str) else str(int(value)) for value in several))


def split_names(text: str) -> list[str]:
    """Takes apart names between commas, as on the command line.

    Blanks around a name are dropped. A name with a comma, or with a blank at its ends, stands in double quotes, in
    which a double quote is doubled.

    Args:
        text: Such as `cat,dog` or `"a, b"," c"`.

    Returns:
        The names; what is empty is left out.
    """
    parts = _PART.findall(text + ",")
    names = [quoted.replace('""', '"') or plain.strip() for quoted, plain in parts]
    return [name for name in names if name]


def joined_names(names: Sequence[str]) -> str:
    """The text that `split_names` takes apart into these names."""
    return ",".join(map(_quoted, names))


def class_labels(names: Sequence[str], class_names: Sequence[str], key: str) -> tuple[int, ...]:
    """Turns class names into labels.

    Args:
        names: Names as they are written, or labels; a number counts as a label only where no class name is a number.
            Letters with accents may be composed otherwise in Unicode, where that leaves one class.
        class_names: Of the data set.
        key: What the names were given as, for messages.

    Returns:
        Distinct labels, ascending.

    Raises:
        ConfigError: If a class does not exist; names like it are listed.
    """
    by_name = {name: label for label, name in enumerate(class_names)}
    by_text = _same_text(class_names)
    numbered = any(map(is_number, class_names))
    labels, problems = set(), []
    for name in names:
        if name in by_name:
            labels.add(by_name[name])
        elif _composed(name) in by_text:
            labels.add(by_text[_composed(name)])
        elif not numbered and _is_label(name) and int(name[:18]) < len(class_names):
            labels.add(int(name))
        else:
            problems.append(_no_class(name, class_names, key, numbered=numbered))
    if problems:
        raise ConfigError(problems)
    return tuple(sorted(labels))


def is_number(name: str) -> bool:
    """Whether a class name is a number in some spelling: 7, 007, 0x10, 1e5, 1 000, 1/2, or a sign such as ½."""
    plain = re.sub(r"[\s_'\u2019]", "", unicodedata.normalize("NFKC", name))
    plain = plain.replace("\u2212", "-").replace("\u2044", "/")
    signs = [unicodedata.numeric(sign, None) is not None for sign in name.strip()]
    return _NUMBER.fullmatch(plain) is not None or (bool(signs) and all(signs))


def near_names(name: str, class_names: Sequence[str]) -> list[str]:
    """At most three class names that may be meant: written otherwise, the same number, or a few letters off."""
    plain = _plain(name)
    same = [other for other in class_names if plain in (_plain(other), *map(_plain, other.split(",")))]
    by_plain = {_plain(other): other for other in reversed(class_names)}
    alike = [by_plain[other] for other in get_close_matches(plain, by_plain, n=3, cutoff=0.6)]
    return list(dict.fromkeys([*same, *alike]))[:3]


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _same_text(class_names: Sequence[str]) -> dict[str, int]:
    """Labels by names with composed letters, but for those that several classes have."""
    composed = [_composed(name) for name in class_names]
    return {name: label for label, name in enumerate(composed) if composed.count(name) == 1}


def _plain(name: str) -> str:
    """What names that people confuse have in common: case, blanks and leading zeros do not count."""
    text = re.sub(r"[\s_-]+", " ", name).strip(" '\"").casefold()
    return text.lstrip("0") or "0" if _is_digits(text) else text


def _no_class(name: str, class_names: Sequence[str], key: str, *, numbered: bool) -> str:
    if numbered:
        rule = "must be class names, and some of these are numbers, so that a number is never a position"
    else:
        rule = f"must be class names, or labels from 0 to {len(class_names) - 1}"
    near = near_names(name, class_names)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
    rest = f" and {len(class_names) - _LISTED} more" if len(class_names) > _LISTED else ""
    listed = ", ".join(map(_quoted, class_names[:_LISTED]))
    got = name if _is_digits(name.removeprefix("-")) else repr(name)
    return f"`{key}` {rule}, but got {got}{hint} The classes are {listed}{rest}."


def _is_label(name: str) -> bool:
    """Whether it is a whole number as one writes it: 010 is 8 to some and 10 to others."""
    return _is_digits(name) and (name == "0" or name[0] != "0")


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _quoted(name: str) -> str:
    if name != name.strip() or "," in name or '"' in name or not name:
        return '"' + name.replace('"', '""') + '"'
    return name
