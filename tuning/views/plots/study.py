"""A study in pictures that need no browser: its front, how deeply trials forget, the hypervolume over trials."""

from pathlib import Path

from matplotlib.ticker import MaxNLocator

from tuning.study.outcome import Outcome
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord
from tuning.views.plots.planes import draw_plane
from tuning.views.plots.style import FRONT, new_figure, save_figure
from tuning.views.report.drawing import completed
from tuning.views.report.histories import hypervolume_histories
from tuning.views.report.planes import depth_plane, trade_off_plane

PARETO, DEPTH, HYPERVOLUME = "pareto.png", "depth.png", "hypervolume.png"


def draw_study(study: StudyReader, outcome: Outcome, folder: Path) -> None:
    """Writes `pareto.png` and `hypervolume.png`, and `depth.png` where depth is an objective and trials forget.

    A study with a single objective, or without a finished trial, has no pictures.

    Args:
        study: May still be under way.
        outcome: Of the study.
        folder: Where to.

    Raises:
        DataError: If a file cannot be written.
    """
    done = completed(study.records())
    if not done or len(study.config.objectives) < 2:
        return
    draw_plane(trade_off_plane(done, outcome, study.config), folder / PARETO)
    deep = depth_plane(done, outcome, study.config)
    if deep is not None:
        draw_plane(deep, folder / DEPTH)
    _draw_hypervolume(study, outcome, done, folder / HYPERVOLUME)


def _draw_hypervolume(study: StudyReader, outcome: Outcome, done: list[TrialRecord], path: Path) -> None:
    over_trials, _ = hypervolume_histories(done, study.config.objectives, outcome.reference, study.config.constraints)
    steps = over_trials["data"][0]
    figure = new_figure(6, 3.5)
    axes = figure.add_subplot()
    axes.step(steps["x"], steps["y"], where="post", color=FRONT)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("finished trials")
    axes.set_ylabel("hypervolume")
    axes.grid(alpha=0.3)
    save_figure(figure, path)
