"""The part of a figure to look at first: what must be seen, and what lies around it, but no point far away."""

import math
from collections.abc import Callable, Sequence

Range = tuple[float, float]
Window = tuple[Range, Range]

_ROOM, _LEAST_ROOM, _OVERHANG = 0.15, {True: 0.5, False: 0.05}, 0.03
_TAIL = 20


def window_around(
    always: Sequence[dict[str, float]],
    usual: Sequence[dict[str, float]],
    axes: tuple[str, str],
    drawn: Callable[[str, dict[str, float]], float],
) -> Window | None:
    """Ranges of both axes.

    Args:
        always: Figures that must lie inside.
        usual: Figures that should. The tenth of them at the ends of an axis may lie outside if it is farther from the
            others than these are from each other.
        axes: Metrics of both axes.
        drawn: A metric's value as drawn, NaN where it is missing.

    Returns:
        Ranges with some room; None where an axis has no figure.
    """
    ranges = []
    for metric in axes:
        sides = [
            [value for figures in some if math.isfinite(value := drawn(metric, figures))] for some in (always, usual)
        ]
        if not any(sides):
            return None
        ranges.append(_with_room(_robust_range(*sides), share=metric.endswith("accuracy")))
    return ranges[0], ranges[1]


def _robust_range(always: list[float], usual: list[float]) -> Range:
    """From the smallest to the largest value, without tails that would halve the room of all others, or worse."""
    values = sorted(usual)
    tail = max(1, len(values) // _TAIL)
    inner = [*always, *values[tail:-tail]]
    whole = min([*always, *values]), max([*always, *values])
    if not inner:
        return whole
    low, high = min(inner), max(inner)
    span = high - low
    if span == 0:
        return whole
    return whole[0] if low - whole[0] <= span else low, whole[1] if whole[1] - high <= span else high


def _with_room(span: Range, *, share: bool) -> Range:
    """With room at both ends; a share in percent ends at 0 and 100, but for half a marker."""
    low, high = span
    room = _ROOM * (high - low) or _LEAST_ROOM[share]
    low, high = low - room, high + room
    if share:
        overhang = _OVERHANG * (min(high, 100.0) - max(low, 0.0))
        low, high = max(low, -overhang), min(high, 100 + overhang)
    return low, high
