"""The pictures of a reproduction: accuracy by class, confusion before and after, loss curves, anti-samples."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from antisample.config import UnlearnConfig
from antisample.data.splits import make_splits
from antisample.device import choose_device
from antisample.inputs import UnlearnInputs
from antisample.methods.anti_sample import AntiSample, AntiSampleConfig
from antisample.methods.base import UnlearnContext
from antisample.types import Preprocessing
from tuning.reproduction.plan import ORIGINAL
from tuning.views.plots.style import CLASS_COLOURS, INK, QUIET, class_colour, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN_NAMES = 30
_GRID = 8
Result = dict[str, Any]


def draw_class_accuracy(results: Sequence[Result], class_names: Sequence[str], path: Path) -> None:
    """A panel a method: test accuracy of every class (column) for every forget request (row).

    Args:
        results: The first repetition of each request is shown.
        class_names: Of the data set.
        path: The PNG to write.
    """
    by_label = _by_label(results)
    requests = sorted({classes for runs in by_label.values() for classes in runs}, key=lambda c: (len(c), c))
    figure = new_figure(3.2 * len(by_label) + 1, min(12, 1.6 + 0.3 * len(requests)))
    panels = figure.subplots(1, len(by_label), squeeze=False, sharey=True)[0]
    for panel, (label, runs) in zip(panels, by_label.items(), strict=True):
        accuracy = np.full((len(requests), len(class_names)), np.nan)  # a job that failed leaves its row empty
        for row, classes in enumerate(requests):
            if classes in runs:
                confusion = np.array(runs[classes]["confusion"], np.float64)
                accuracy[row] = confusion.diagonal() / confusion.sum(axis=1).clip(min=1)
            panel.scatter(classes, [row] * len(classes), marker="s", s=46, fc="none", ec=CLASS_COLOURS[0])
        image = panel.imshow(accuracy, vmin=0, vmax=1, cmap="cividis", aspect="auto")
        panel.set_title(label, fontsize=9, color=INK)
        _name_ticks(panel, class_names)
        panel.set_yticks(range(len(requests)), [_request(classes, class_names) for classes in requests], fontsize=7)
    panels[0].set_ylabel("forgotten", color=INK)
    figure.colorbar(image, ax=panels, label="test accuracy", fraction=0.03)
    figure.supxlabel("class (forgotten ones outlined)", fontsize=9, color=QUIET)
    save_figure(figure, path)


def draw_confusion(results: Sequence[Result], class_names: Sequence[str], path: Path) -> None:
    """Test confusion of one request, before and after every method; rows are true classes, each sums to 1.

    It is the first of the requests that most methods have finished; the others have no panel.
    """
    by_label = _by_label(results)
    counts = Counter(classes for runs in by_label.values() for classes in runs)
    request = max(counts, key=lambda classes: counts[classes])
    by_label = {label: runs for label, runs in by_label.items() if request in runs}
    figure = new_figure(3.2 * len(by_label) + 1, 3.9)
    panels = figure.subplots(1, len(by_label), squeeze=False, sharey=True)[0]
    for panel, (label, runs) in zip(panels, by_label.items(), strict=True):
        confusion = np.array(runs[request]["confusion"], np.float64)
        image = panel.imshow(
            confusion / confusion.sum(axis=1, keepdims=True).clip(min=1), vmin=0, vmax=1, cmap="cividis"
        )
        title = "before" if label == ORIGINAL else f"after {label}"
        panel.set_title(title, fontsize=9, color=INK)
        _name_ticks(panel, class_names)
    if len(class_names) <= _SHOWN_NAMES:
        panels[0].set_yticks(range(len(class_names)), class_names, fontsize=7)
    panels[0].set_ylabel("true class", color=INK)
    figure.colorbar(image, ax=panels, label="share of the true class", fraction=0.03)
    figure.supxlabel(f"predicted class; forgotten: {_request(request, class_names)}", fontsize=9, color=QUIET)
    save_figure(figure, path)


def draw_losses(results: Sequence[Result], path: Path) -> None:
    """Training loss and validation accuracy after every epoch: a thin line a run, a thick one for their mean."""
    by_label: dict[str, list[Result]] = {}
    for result in results:
        if result["epochs"]:
            by_label.setdefault(result["label"], []).append(result)
    if not by_label:
        return
    titles = {
        "loss": "training loss",
        "validation/forget_accuracy": "validation forget accuracy",
        "validation/retain_accuracy": "validation retain accuracy",
    }
    figure = new_figure(11, 3.6)
    panels = figure.subplots(1, 3)
    for panel, (key, title) in zip(panels, titles.items(), strict=True):
        for number, (label, runs) in enumerate(by_label.items()):
            colour = class_colour(number)
            curves = [[epoch[key] for epoch in run["epochs"]] for run in runs]
            steps = range(1, len(curves[0]) + 1)
            for curve in curves:
                panel.plot(range(1, len(curve) + 1), curve, color=colour, alpha=0.25, linewidth=0.8)
            panel.plot(
                steps,
                np.mean(curves, axis=0),
                color=colour,
                linewidth=2,
                linestyle="-" if number < len(CLASS_COLOURS) else "--",
                marker="o",
                markersize=3,
                label=label,
            )
        panel.set_title(title, fontsize=10, color=INK)
        panel.set_xlabel("epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
        if key != "loss":
            panel.set_ylim(-0.03, 1.03)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
    save_figure(figure, path)


def draw_anti_samples(config: UnlearnConfig, inputs: UnlearnInputs, path: Path) -> None:
    """Forget images, their farthest neighbours, a draw around each, and the anti-samples that are trained on.

    Args:
        config: Of the method `antisample`.
        inputs: Data and original model.
        path: The PNG to write.
    """
    splits = make_splits(
        inputs.dataset, config.forget, config.split, has_checkpoint=config.model.checkpoint is not None
    )
    context = UnlearnContext(inputs.dataset, splits, inputs.original, choose_device(config.device), config.seed)
    if not isinstance(config.method, AntiSampleConfig) or config.method.generator != "antisample":
        return
    label = splits.forget_classes[0]
    rows = AntiSample().preview(context, config.method, label, _GRID)
    names = (f"forget: {inputs.dataset.class_names[label]}", "farthest retain image", "one draw", "trained on")
    figure = new_figure(_GRID * 0.95 + 1.6, 4 * 0.98)
    panels = figure.subplots(4, _GRID)
    for name, images, line in zip(names, rows, panels, strict=True):
        pixels = _pixels(images.cpu().numpy(), inputs.original.preprocessing)
        for panel, picture in zip(line, pixels, strict=False):
            panel.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        for panel in line:
            panel.set_xticks([])
            panel.set_yticks([])
            panel.spines[:].set_visible(False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8, color=INK)
    save_figure(figure, path)


def _by_label(results: Sequence[Result]) -> dict[str, dict[tuple[int, ...], Result]]:
    """First repetitions by method and request."""
    by_label: dict[str, dict[tuple[int, ...], Result]] = {}
    for result in results:
        if result["seed_index"] == 0:
            by_label.setdefault(result["label"], {})[tuple(result["classes"])] = result
    return by_label


def _request(classes: tuple[int, ...], class_names: Sequence[str]) -> str:
    return ", ".join(class_names[label] for label in classes)


def _name_ticks(panel: "Axes", class_names: Sequence[str]) -> None:
    if len(class_names) <= _SHOWN_NAMES:
        panel.set_xticks(range(len(class_names)), class_names, rotation=90, fontsize=7)


def _pixels(images: npt.NDArray[np.float32], preprocessing: Preprocessing) -> npt.NDArray[np.float32]:
    """Undoes the normalisation: [n, h, w, c] in [0, 1]; what lies outside, as noise does, is cut off."""
    mean, std = (np.array(values)[None, :, None, None] for values in (preprocessing.mean, preprocessing.std))
    return np.asarray(np.clip(images * std + mean, 0, 1).transpose(0, 2, 3, 1), np.float32)
