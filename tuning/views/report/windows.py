"""The part of a figure to look at first: what must be seen, and what lies around it, but no point far away."""

import math
from collections.abc import Callable, Iterable, Sequence

Range = tuple[float, float]
Window = tuple[Range, Range]

_ROOM, _LEAST_ROOM, _OVERHANG = 0.15, {True: 0.5, False: 0.05}, 0.03
_TAIL = 20
_FEWEST, _FAR = 5, 3


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
        ranges.append(with_room(_robust_range(sides[0], sides[1]), share=metric.endswith("accuracy")))
    return ranges[0], ranges[1]


def usual_range(usual: Iterable[float | None], always: Iterable[float | None] = ()) -> Range | None:
    """From the smallest to the largest value, without the few that would flatten all others.

    Args:
        usual: May lie outside, as described for `window_around`, if they would leave the others a quarter of the
            axis or less.
        always: Must lie inside.

    Returns:
        The range, without room at its ends; None where nothing lies outside, or too few values tell what is usual.
    """
    values, inside = ([v for v in some if v is not None and math.isfinite(v)] for some in (usual, always))
    if len(values) < _FEWEST:
        return None
    part = _robust_range(inside, values, _FAR)
    return None if part == (min([*inside, *values]), max([*inside, *values])) else part


def _robust_range(always: list[float], usual: list[float], far: int = 1) -> Range:
    """From the smallest to the largest value, without tails that are `far` times the span of all others away."""
    values = sorted(usual)
    tail = max(1, len(values) // _TAIL)
    inner = [*always, *values[tail:-tail]]
    whole = min([*always, *values]), max([*always, *values])
    if not inner:
        return whole
    low, high = min(inner), max(inner)
    reach = far * (high - low)
    if reach == 0:
        return whole
    return whole[0] if low - whole[0] <= reach else low, whole[1] if whole[1] - high <= reach else high


def with_room(span: Range, *, share: bool) -> Range:
    """With room at both ends; a share in percent ends at 0 and 100, but for half a marker."""
    low, high = span
    room = _ROOM * (high - low) or _LEAST_ROOM[share]
    low, high = low - room, high + room
    if share:
        overhang = _OVERHANG * (min(high, 100.0) - max(low, 0.0))
        low, high = max(low, -overhang), min(high, 100 + overhang)
    return low, high
