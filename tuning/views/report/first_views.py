"""Figures that would be flattened by a few values far from all others: the others come first, a button shows all."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tuning.views.report.drawing import Figure, short
from tuning.views.report.windows import Range, usual_range, with_room

MOST, EVERYTHING = "Most trials", "Everything"


class AxisValues(NamedTuple):
    """What lies along an axis.

    Attributes:
        usual: Numbers of trials, each with a value as drawn; None where it is missing. A trial may come again.
        always: Values that must be in the first view, likewise.
        share: Whether they are percentages.
    """

    usual: Sequence[tuple[int, float | None]]
    always: Sequence[float | None] = ()
    share: bool = False


def with_first_view(figure: Figure, axes: Mapping[str, AxisValues]) -> Figure:
    """A figure that first shows most trials where a few would flatten the rest; otherwise as it is.

    Args:
        figure: With these axes.
        axes: By their names in the layout, such as `yaxis`.
    """
    parts: dict[str, Range] = {}
    for name, values in axes.items():
        part = usual_range((value for _, value in values.usual), values.always)
        if part is not None:
            low, high = with_room(part, share=values.share)
            first, last = figure["layout"][name].get("range", (low, high))
            parts[name] = max(low, first), min(high, last)
    if not parts:
        return figure
    layout: dict[str, Any] = dict(figure["layout"])
    everything: dict[str, Any] = {}
    for name, part in parts.items():
        whole = layout[name].get("range")
        everything |= {f"{name}.autorange": True} if whole is None else {f"{name}.range": whole}
        layout[name] = layout[name] | {"range": list(map(short, part))}
    first = {f"{name}.range": list(map(short, part)) for name, part in parts.items()}
    outside = {
        number
        for name, (low, high) in parts.items()
        for number, value in axes[name].usual
        if value is not None and not low <= value <= high
    }
    views: list[dict[str, Any]] = [{"label": MOST, "change": first}, {"label": EVERYTHING, "change": everything}]
    return figure | {"layout": layout, "views": views, "outside": outside_text(len(outside))}


def outside_text(trials: int) -> str:
    """What is to be said of trials that the first view leaves out."""
    some = "1 trial lies" if trials == 1 else f"{trials:,} trials lie"
    return f"{some} outside of this view"
