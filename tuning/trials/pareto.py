"""Trade-offs: which points are not dominated, how much they cover, and which one to choose."""

import math
from collections.abc import Sequence

import numpy as np

Point = tuple[float, ...]


def dominates(a: Point, b: Point) -> bool:
    """Whether `a` is nowhere worse than `b` and somewhere better; all coordinates are minimised."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b


def non_dominated(points: Sequence[Point]) -> list[int]:
    """Positions of the points that no other dominates, in order; equal points are all kept.

    In lexicographic order a point is dominated by earlier ones alone, and then by one of the front so far; with two
    objectives by the last one of the front, or by none.

    Args:
        points: Minimised coordinates, finite.

    Returns:
        Ascending positions.
    """
    front: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: points[i]):
        rivals = front[-1:] if len(points[i]) <= 2 else front
        if not any(dominates(points[j], points[i]) for j in rivals):
            front.append(i)
    return sorted(front)


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Volume dominated by the points and bounded by the reference point; all coordinates are minimised.

    With three objectives or more it is moocore's (Fonseca, Paquete & López-Ibáñez, 2006).

    Args:
        points: Minimised coordinates.
        reference: Where counting starts; points that are not better in every coordinate add nothing.

    Returns:
        The volume, at least 0.
    """
    inside = [point for point in points if all(x < r for x, r in zip(point, reference, strict=True))]
    if not inside:
        return 0.0
    if len(reference) == 1:
        return reference[0] - min(point[0] for point in inside)
    if len(reference) > 2:
        from moocore import hypervolume as exact  # noqa: PLC0415  (half a second that few need to wait for)

        return float(exact(np.array(inside), ref=np.array(reference)))
    area, ceiling = 0.0, reference[1]
    for first, second in sorted(inside):
        if second < ceiling:
            area += (reference[0] - first) * (ceiling - second)
            ceiling = second
    return area


def sorted_fronts(points: Sequence[Point]) -> list[list[int]]:
    """Non-dominated sorting (Deb et al., 2002): the front, what is the front without it, and so on.

    Args:
        points: Minimised coordinates, finite.

    Returns:
        Positions of every point, front by front, ascending in each.
    """
    left, fronts = list(range(len(points))), []
    while left:
        front = [left[i] for i in non_dominated([points[position] for position in left])]
        fronts.append(front)
        left = [position for position in left if position not in set(front)]
    return fronts


def epsilon_net_order(points: Sequence[Point]) -> list[int]:
    """Orders points so that the first of them cover all: each is the one farthest from those before it.

    Coordinates are scaled to their range. The point that is best in the first coordinate comes first. See Schmucker
    et al., "Multi-objective Asynchronous Successive Halving" (2021).

    Args:
        points: Minimised coordinates, finite.

    Returns:
        Positions of every point.
    """
    if not points:
        return []
    lows = [min(column) for column in zip(*points, strict=True)]
    spans = [max(column) - low or 1.0 for column, low in zip(zip(*points, strict=True), lows, strict=True)]
    scaled = [tuple((x - low) / span for x, low, span in zip(p, lows, spans, strict=True)) for p in points]
    order = [min(range(len(points)), key=lambda i: (points[i], i))]
    distances = [math.inf] * len(points)
    while len(order) < len(points):
        distances = [min(d, math.dist(p, scaled[order[-1]])) for d, p in zip(distances, scaled, strict=True)]
        taken = set(order)
        order.append(max((i for i in range(len(points)) if i not in taken), key=lambda i: (distances[i], -i)))
    return order
