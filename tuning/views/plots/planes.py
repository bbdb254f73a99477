"""Pictures of three objectives: trials by two metrics, coloured by a third or cut at those that forget."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tuning.config.objectives import DEPTH
from tuning.trials.records import TrialRecord
from tuning.views.plots.style import CHOSEN, FRONT, INK, QUIET, START, new_figure, save_figure
from tuning.views.report.drawing import label, scaled, standard_error
from tuning.views.report.planes import Plane

_EDGE, _ASIDE = 0.1, {"left": 4, "center": 0, "right": -4}  # a name that would run over the edge stands aside
_SHAPES = {"original": "s", "mask": "D", "untrained": "P"}


def draw_plane(plane: Plane, path: Path) -> None:
    """Writes a picture of the part of a plane that is to be looked at first.

    Args:
        plane: What is to be drawn.
        path: Where to.

    Raises:
        DataError: If it cannot be written.
    """
    figure = new_figure(6.6 if plane.colour is not None else 6, 4.5)
    axes = figure.add_subplot()

    def places(some: Sequence[TrialRecord]) -> tuple[list[float], list[float]]:
        points = [plane.place(record.metrics) for record in some]
        return [x for x, _ in points], [y for _, y in points]

    if plane.infeasible:
        axes.plot(*places(plane.infeasible), "x", color=QUIET, alpha=0.4, markersize=5, label="breaks a constraint")
    if plane.colour is not None:
        _draw_coloured(figure, axes, plane)
    else:
        axes.plot(*places(plane.others), "o", color=QUIET, alpha=0.5, markersize=4, label="other trials")
        axes.plot(*places(plane.front), "o", color=FRONT, markersize=5, label="Pareto front")
        axes.plot(*places(plane.best), "-", color=FRONT, drawstyle="steps-post", label="best of these")
    if plane.start is not None:
        start = plane.start.origin
        axes.plot(*places([plane.start]), "D", color=START, fillstyle="none", markersize=10, label=start)
    if plane.chosen is not None:
        chosen = f"chosen: trial {plane.chosen.number}"
        axes.plot(*places([plane.chosen]), "*", color=CHOSEN, markersize=13, label=chosen)
    _draw_error_bars(axes, plane)
    if plane.window is not None:
        axes.set_xlim(*plane.window[0])
        axes.set_ylim(*plane.window[1])
    _draw_marks(axes, plane)
    for axis, metric in ((axes.xaxis, plane.across), (axes.yaxis, plane.up)):
        axis.set_label_text(axis_title(metric))
        if metric.endswith("accuracy"):
            axis.set_major_formatter("{x:g} %")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    save_figure(figure, path)


def axis_title(metric: str) -> str:
    """A metric as an axis is called; percentages have their sign at the ticks."""
    return f"{label(metric)} (lower is deeper)" if metric == DEPTH else label(metric)


def _draw_error_bars(axes: Axes, plane: Plane) -> None:
    """One standard error over the replicates, of the trials that a reader decides between."""
    named = ((plane.front, FRONT), ([plane.start], START), ([plane.chosen], CHOSEN))
    for record, colour in ((record, colour) for records, colour in named for record in records if record is not None):
        errors = [standard_error(record, metric) for metric in (plane.across, plane.up)]
        if any(errors):
            x, y = plane.place(record.metrics)
            axes.errorbar([x], [y], xerr=errors[0] or 0, yerr=errors[1] or 0, color=colour, linewidth=0.8, capsize=2)


def _draw_coloured(figure: Figure, axes: Axes, plane: Plane) -> None:
    """The trials that keep the constraints; those on the front with an outline."""
    colour = plane.colour or ""
    if not (plane.others or plane.front):
        return
    low, high = plane.colour_range
    for trials, name, size, outline in (
        (plane.others, "other trials", 22, "none"),
        (plane.front, "Pareto front", 40, INK),
    ):
        points = [plane.place(record.metrics) for record in trials]
        drawn = axes.scatter(
            [x for x, _ in points],
            [y for _, y in points],
            c=[scaled(colour, record.metrics[colour]) or 0.0 for record in trials],
            cmap="viridis",
            vmin=low,
            vmax=high,
            s=size,
            edgecolors=outline,
            label=name,
        )
    scale = figure.colorbar(drawn, ax=axes, label=axis_title(colour))
    if colour.endswith("accuracy"):
        scale.ax.yaxis.set_major_formatter("{x:g} %")


def _draw_marks(axes: Axes, plane: Plane) -> None:
    """Baselines with their names, as far as they lie in the part that is drawn."""
    (left, right), (bottom, top) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    for mark in plane.marks:
        x, y = plane.place(mark.metrics)
        if not (left <= x <= right and bottom <= y <= top):
            continue
        axes.plot([x], [y], _SHAPES.get(mark.name, "h"), color=INK, markersize=7)
        place = (x - left) / (right - left)
        side = "left" if place < _EDGE else "right" if place > 1 - _EDGE else "center"
        above = mark.name in ("mask", "untrained")
        axes.annotate(
            mark.name,
            (x, y),
            xytext=(_ASIDE[side], 7 if above else -7),
            textcoords="offset points",
            ha=side,
            va="bottom" if above else "top",
            fontsize=8,
        )
