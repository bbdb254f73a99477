"""How many trials a figure draws: more points than this only make the page large and slow."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

MOST_POINTS, MOST_LINES = 1000, 200
_IN_ALL_SLICES, _MOST_IN_A_SLICE = 2000, 500
_GOLDEN = 0.6180339887498949


class Numbered(Protocol):
    """What is numbered in the order of the search."""

    @property
    def number(self) -> int:
        """From 0."""


T = TypeVar("T", bound=Numbered)


def most_in_a_slice(panels: int) -> int:
    """Trials in each of so many small panels of one figure, which is drawn at once."""
    return min(_MOST_IN_A_SLICE, _IN_ALL_SLICES // max(1, panels))


def thinned(some: Sequence[T], most: int) -> list[T]:
    """At most this many of the trials, evenly over the search; all where there are no more.

    The number of a trial decides: figures that draw about as many draw the same ones, and fewer are among more.
    Multiples of the golden ratio, without their whole part, spread evenly however many there are (Knuth's Fibonacci
    hashing).
    """
    if len(some) <= most:
        return list(some)
    last = sorted(_rank(each) for each in some)[most]
    return [each for each in some if _rank(each) < last]


def _rank(trial: Numbered) -> tuple[float, int]:
    return trial.number * _GOLDEN % 1.0, trial.number


def thinning_note(trials: int, most: int) -> list[str]:
    """What is to be said of trials that are not drawn; nothing where all are."""
    if trials <= most:
        return []
    return [f"{most:,} of {trials:,} trials are drawn, evenly over the search, and every trial on the front."]
