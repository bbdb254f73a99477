"""How many trials a figure draws: more points than this only make the page large and slow."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

MOST_POINTS, MOST_IN_A_SLICE, MOST_LINES = 2000, 500, 300


def thinned(some: Sequence[T], most: int) -> list[T]:
    """At most this many of the trials, evenly over the search; all where there are no more."""
    if len(some) <= most:
        return list(some)
    return [some[place * len(some) // most] for place in range(most)]


def thinning_note(trials: int, most: int) -> list[str]:
    """What is to be said of trials that are not drawn; nothing where all are."""
    if trials <= most:
        return []
    return [f"{most:,} of {trials:,} trials are drawn, evenly over the search, and every trial on the front."]
