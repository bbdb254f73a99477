"""What came of verifying a card: statements that were checked, and those that nothing here can check."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = float | int | str | None


@dataclass(frozen=True)
class Check:
    """A statement of a card that was computed or compared.

    Attributes:
        what: What it is about: `unlearned test/retain_accuracy`, `data.retain`.
        stated: What the card says; None where it says nothing.
        found: What is the case; None where nothing is.
        holds: Whether these agree.
    """

    what: str
    stated: Value
    found: Value
    holds: bool


@dataclass(frozen=True)
class Unchecked:
    """A statement of a card that was not checked, and counts neither for nor against it.

    Attributes:
        what: What it is about.
        stated: What the card says; None where it says nothing.
        why: What would be needed, in a few words.
    """

    what: str
    stated: Value
    why: str


@dataclass(frozen=True)
class Verification:
    """Statements of a card in two lists that are never mixed.

    Attributes:
        checks: What was checked.
        unchecked: What was not.
    """

    checks: tuple[Check, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()

    def __add__(self, other: "Verification") -> "Verification":
        """Both together."""
        return Verification(self.checks + other.checks, self.unchecked + other.unchecked)

    @property
    def differing(self) -> tuple[Check, ...]:
        """The statements that do not hold."""
        return tuple(check for check in self.checks if not check.holds)

    @property
    def holds(self) -> bool:
        """Whether nothing that was checked differs; says nothing of what was not checked."""
        return not self.differing

    def describe(self) -> str:
        """How many statements there are of each kind, in a sentence."""
        differ = len(self.differing)
        hold = len(self.checks) - differ
        holding = "1 statement holds" if hold == 1 else f"{hold} statements hold"
        return (
            f"{holding}, {differ} {'differs' if differ == 1 else 'differ'}, "
            f"{len(self.unchecked)} stated but not checked."
        )


def checked(what: str, stated: Any, actual: Any) -> Verification:
    """A statement that must be exactly what is the case."""
    return Verification((Check(what, as_value(stated), as_value(actual), same(stated, actual)),))


def not_checked(what: str, stated: Any, why: str) -> Verification:
    """A statement that nothing here can check."""
    return Verification(unchecked=(Unchecked(what, as_value(stated), why),))


def same(stated: Any, actual: Any) -> bool:
    """Whether two plain values are equal; numbers may differ in their last digits, which hardware rounds."""
    if isinstance(stated, list | tuple) and isinstance(actual, list | tuple):
        return len(stated) == len(actual) and all(map(same, stated, actual))
    if isinstance(stated, float) and isinstance(actual, float):
        return math.isclose(stated, actual, rel_tol=1e-9, abs_tol=1e-15)
    return bool(stated == actual)


def as_value(value: Any) -> Value:
    """A value as one number or text: lists and dictionaries as JSON."""
    return value if value is None or isinstance(value, float | int | str) else json.dumps(value, ensure_ascii=False)


def joined(parts: list[Verification]) -> Verification:
    """All of them together."""
    return sum(parts, Verification())


def compared_values(what: str, stated: Mapping[str, Any], actual: Mapping[str, Any], where: str = "") -> Verification:
    """Nested values key by key: a statement for each key that differs, or a single one where all agree.

    Args:
        what: The name of them all; keys follow it, dots between.
        stated: What the card says.
        actual: What is the case.
        where: What they are compared with, to follow the name.
    """
    ours, theirs = dict(_leaves(what, stated)), dict(_leaves(what, actual))
    names = list(dict.fromkeys([*ours, *theirs]))
    differing = [name for name in names if not (name in ours and name in theirs and same(ours[name], theirs[name]))]
    if not differing:
        number = f"{len(names)} value{'s' if len(names) > 1 else ''}"
        return Verification((Check(what + where, number, number, holds=True),))
    return Verification(
        tuple(
            Check(name + where, as_value(ours.get(name)), as_value(theirs.get(name)), holds=False)
            for name in differing
        )
    )


def _leaves(name: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping) or not value:
        return [(name, value)]
    return [leaf for key, inner in value.items() for leaf in _leaves(f"{name}.{key}", inner)]
