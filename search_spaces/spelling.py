"""What somebody meant who misspelled a name in a space; as in antisample, which spaces do not import."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Any

_ALIKE = 0.75
"""Smallest similarity of two names, of which one may be a misspelling of the other."""
_LONGEST = 80


def nearest(word: Any, names: Iterable[str]) -> str | None:
    """Finds the name that a word is a misspelling of.

    Case, hyphens and underscores do not count. Names whose numbers differ are different names: ResNet50 is no
    misspelling of ResNet18.

    Args:
        word: As it was written.
        names: Those that there are.

    Returns:
        The most similar name; None if none is similar enough, or the word is one of them.
    """
    if not isinstance(word, str) or not 2 <= len(word) <= _LONGEST:
        return None
    plain, best, most = _plain(word), None, 0.0
    for name in names:
        if name == word:
            return None
        other = _plain(name)
        if _numbers(plain) not in ([], _numbers(other)):
            continue
        alike = SequenceMatcher(None, plain, other).ratio()
        if alike >= _ALIKE and alike > most:
            best, most = name, alike
    return best


def did_you_mean(word: Any, names: Iterable[str]) -> str:
    """The same as a question that follows a sentence, after a space; empty if there is no such name."""
    name = nearest(word, names)
    return "" if name is None else f" Did you mean {name!r}?"


def _plain(name: str) -> str:
    return re.sub(r"[-_\s]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).lower()


def _numbers(name: str) -> list[str]:
    return re.findall(r"\d+", name)
