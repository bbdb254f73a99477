"""The toy problem in one picture: what each network calls every point of the plane, and where both clouds lie."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from torch import Tensor

from antisample.errors import ConfigError
from antisample.toy.problem import ToyNetwork, ToyResult, ToyRow
from tuning.views.plots.style import INK, QUIET, YELLOW, class_colour, new_figure, save_figure, tint

NETWORK_NAMES: dict[ToyNetwork, str] = {
    "original": "original",
    "retrained": "retrained",
    "antisample": "anti-sample",
    "unsir": "UNSIR",
}

_PIXELS = 600
_ANTI_SAMPLE: dict[str, Any] = {
    "marker": "X",
    "color": INK,
    "markeredgecolor": "white",
    "markeredgewidth": 0.4,
    "markersize": 5.5,
}
_NOISE: dict[str, Any] = {
    "marker": "^",
    "color": YELLOW,
    "markeredgecolor": INK,
    "markeredgewidth": 0.5,
    "markersize": 7.0,
}
_WITH_ANTI_SAMPLES: tuple[ToyNetwork, ...] = ("original", "antisample")
_WITH_NOISE: tuple[ToyNetwork, ...] = ("original", "unsir")

Limits = tuple[float, float]


def draw_toy(result: ToyResult, rows: Sequence[ToyRow], path: Path) -> None:
    """Draws one seed, a column for each network, and states the spread over seeds below.

    The upper row shows the surroundings of the points, the lower row everything: UNSIR's noise tends to lie several
    times as far out as any point. A frame in the lower row marks what the upper one shows.

    Args:
        result: The seed to draw.
        rows: Of all seeds; see `summarise_toy`.
        path: The PNG to write; its folder is made if missing.

    Raises:
        ConfigError: If `rows` lack a network of the result.
        DataError: If the file cannot be written.
    """
    summary = {(row.network, row.metric): row for row in rows}
    missing = [n for n in result.outcomes if (n, "retain_accuracy") not in summary]
    if missing:
        raise ConfigError(f"`rows` must hold every network, but lack {', '.join(missing)}.")
    near = _square([result.test.points, result.anti_samples], margin=0.05)
    far = _square([result.test.points, result.anti_samples, result.noise], margin=0.05)
    figure = new_figure(13.2, 8.2)
    panels = figure.subplots(2, len(result.outcomes), squeeze=False)
    for column, (network, outcome) in enumerate(result.outcomes.items()):
        above, below = panels[0, column], panels[1, column]
        name = NETWORK_NAMES[network]
        retain, forget = (summary[network, metric] for metric in ("retain_accuracy", "forget_accuracy"))
        above.set_title(name, fontsize=12, fontweight="bold", color=INK, pad=22)
        above.text(
            0.5,
            1.02,
            f"retain {100 * outcome.retain_accuracy:.1f} %, forget {100 * outcome.forget_accuracy:.1f} %",
            transform=above.transAxes,
            ha="center",
            va="bottom",
            fontsize=10.5,
            color=INK,
        )
        _panel(above, result, network, near, size=12)
        _panel(below, result, network, far, size=3)
        below.add_patch(
            Rectangle((near[0], near[0]), near[1] - near[0], near[1] - near[0], fill=False, ec=INK, lw=1, ls="--")
        )
        below.set_xlabel(
            f"{retain.seeds} seeds: retain {_spread(retain)} %\nforget {_spread(forget)} %", fontsize=10, color=INK
        )
        _class_numbers(above, result)
    panels[0, 0].set_ylabel("around the points", fontsize=10, color=INK)
    panels[1, 0].set_ylabel("with all of the noise", fontsize=10, color=INK)
    figure.legend(
        handles=_legend(result),
        title=f"Seed {result.seed}; accuracy on {len(result.test.labels)} fresh test points. A coloured area is what "
        f"the network answers there. Under each column: mean ± standard deviation over {rows[0].seeds} seeds.",
        title_fontsize=10,
        loc="outside lower center",
        ncols=len(result.config.centres) + 2,
        frameon=False,
        fontsize=10,
    )
    save_figure(figure, path)


def _panel(axes: Axes, result: ToyResult, network: ToyNetwork, limits: Limits, size: float) -> None:
    n_classes = len(result.config.centres)
    colours = ListedColormap([tint(class_colour(label), 0.3) for label in range(n_classes)])
    axes.imshow(
        _regions(result, network, limits).numpy(),
        extent=(*limits, *limits),
        origin="lower",
        cmap=colours,
        vmin=-0.5,
        vmax=n_classes - 0.5,
        interpolation="nearest",
    )
    for label in range(n_classes):
        x, y = result.test.points[result.test.labels == label].T.numpy()
        axes.scatter(x, y, s=size, color=class_colour(label), edgecolors="white", linewidths=size / 40)
    if network in _WITH_NOISE:
        axes.plot(*result.noise.T.numpy(), ls="", **_NOISE)
    if network in _WITH_ANTI_SAMPLES:
        axes.plot(*result.anti_samples.T.numpy(), ls="", **_ANTI_SAMPLE)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.tick_params(labelsize=9, colors=QUIET)


def _regions(result: ToyResult, network: ToyNetwork, limits: Limits) -> Tensor:
    """What a network answers at pixel centres, int64 [pixels, pixels], lowest row first."""
    edges = torch.linspace(*limits, _PIXELS + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    with torch.inference_mode():
        logits: Tensor = result.outcomes[network].model(torch.stack([x, y], dim=-1).flatten(0, 1))
    return logits.argmax(dim=1).view(_PIXELS, _PIXELS)


def _square(clouds: list[Tensor], margin: float) -> Limits:
    points = torch.cat(clouds)
    low, high = float(points.min()), float(points.max())
    return low - margin * (high - low), high + margin * (high - low)


def _class_numbers(axes: Axes, result: ToyResult) -> None:
    centres = np.array(result.config.centres)
    outwards = centres - centres.mean(axis=0)
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True).clip(min=1e-9)
    for label, (x, y) in enumerate(centres + 3 * result.config.std * outwards):
        axes.text(
            x,
            y,
            str(label),
            ha="center",
            va="center",
            fontsize=11,
            fontweight="bold",
            color=INK,
            bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": INK, "lw": 0.6, "alpha": 0.9},
        )


def _legend(result: ToyResult) -> list[Line2D]:
    classes = [
        Line2D([], [], ls="", marker="o", color=class_colour(label), markersize=6, label=_class_name(result, label))
        for label in range(len(result.config.centres))
    ]
    return [
        *classes,
        Line2D([], [], ls="", label=f"anti-samples ({len(result.anti_samples)})", **_ANTI_SAMPLE),
        Line2D([], [], ls="", label=f"UNSIR noise ({len(result.noise)}, mostly on top of each other)", **_NOISE),
    ]


def _class_name(result: ToyResult, label: int) -> str:
    return f"class {label} (to forget)" if label == result.config.forget_class else f"class {label}"


def _spread(row: ToyRow) -> str:
    return f"{100 * row.mean:.1f} ± {100 * row.std:.1f}"
