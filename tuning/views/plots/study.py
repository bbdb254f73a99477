"""A study in pictures that need no browser: its front, how deeply trials forget, the hypervolume over trials."""

from pathlib import Path

from tuning.study.outcome import Outcome
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord
from tuning.views.plots.planes import axis_title, draw_plane
from tuning.views.plots.style import CHOSEN, FRONT, INK, QUIET, START, new_figure, save_figure
from tuning.views.report.drawing import completed
from tuning.views.report.figures import hypervolume_histories
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
    if len(study.config.objectives) == 2:
        _draw_front(study, outcome, done, folder / PARETO)
    else:
        draw_plane(trade_off_plane(done, outcome, study.config), folder / PARETO)
        deep = depth_plane(done, outcome, study.config)
        if deep is not None:
            draw_plane(deep, folder / DEPTH)
    _draw_hypervolume(study, outcome, done, folder / HYPERVOLUME)


def _draw_front(study: StudyReader, outcome: Outcome, done: list[TrialRecord], path: Path) -> None:
    names = [objective.metric for objective in study.config.objectives]
    figure = new_figure(6, 4.5)
    axes = figure.add_subplot()

    def place(records: list[TrialRecord]) -> tuple[list[float], list[float]]:
        points = [record.values for record in records if record.values is not None]
        return [_drawn(names[0], p[0]) for p in points], [_drawn(names[1], p[1]) for p in points]

    front = sorted(outcome.front, key=lambda record: record.values or ())
    axes.plot(*place(done), "o", color=QUIET, alpha=0.5, markersize=4, label="other trials")
    axes.plot(*place(front), "o-", color=FRONT, drawstyle="steps-post", markersize=5, label="Pareto front")
    if all(name in outcome.original for name in names):
        before = [[_drawn(name, outcome.original[name])] for name in names]
        axes.plot(*before, "s", color=INK, label="original model")
    if outcome.published is not None:
        start = place([outcome.published])
        axes.plot(*start, "D", color=START, fillstyle="none", markersize=10, label=outcome.published.origin)
    if outcome.chosen is not None:
        chosen = f"chosen: trial {outcome.chosen.number}"
        axes.plot(*place([outcome.chosen]), "*", color=CHOSEN, markersize=13, label=chosen)
    axes.set_xlabel(axis_title(names[0]))
    axes.set_ylabel(axis_title(names[1]))
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    save_figure(figure, path)


def _draw_hypervolume(study: StudyReader, outcome: Outcome, done: list[TrialRecord], path: Path) -> None:
    over_trials, _ = hypervolume_histories(done, study.config.objectives, outcome.reference, study.config.constraints)
    volumes = over_trials["data"][0]["y"]
    figure = new_figure(6, 3.5)
    axes = figure.add_subplot()
    axes.step(range(1, len(volumes) + 1), volumes, where="post", color=FRONT)
    axes.set_xlabel("finished trials")
    axes.set_ylabel("hypervolume")
    axes.grid(alpha=0.3)
    save_figure(figure, path)


def _drawn(metric: str, value: float) -> float:
    return 100 * value if metric.endswith("accuracy") else value
