"""Which hyperparameters matter for an objective: fANOVA for those that every trial has, PED-ANOVA for the others."""

import html
import warnings
from collections.abc import Callable
from typing import NamedTuple

import optuna
from optuna.trial import FrozenTrial, TrialState

from tuning.config.objectives import Objective
from tuning.views.report.drawing import Figure, assembled, short
from tuning.views.report.thinning import thinned

ENOUGH, RELIABLE = 8, 20
_MOST_TRIALS = 1000
# Optuna's defaults, 64 trees of any depth, take minutes for a thousand trials.
_TREES, _DEPTH = 32, 6
_FANOVA = "fANOVA: share of the variance explained"
_PED_ANOVA = "conditional PED-ANOVA (not in every trial): share of all hyperparameters"


class Importance(NamedTuple):
    """Shares in [0, 1] by hyperparameter, largest first.

    Attributes:
        unconditional: By fANOVA, of those that every completed trial has; together 1.
        conditional: By PED-ANOVA, of those that only some have; with the others, by the same evaluator, together 1.
        too_rare: What too few trials have to be judged.
    """

    unconditional: dict[str, float]
    conditional: dict[str, float]
    too_rare: tuple[str, ...]

    @property
    def order(self) -> list[str]:
        """All of them, first those that every trial has."""
        return [*self.unconditional, *self.conditional]


def find_importance(study: optuna.Study, at: int, objective: Objective) -> Importance:
    """Evaluates the importance for one objective.

    fANOVA leaves out, without a word, what is not in every trial; Optuna's PED-ANOVA takes such hyperparameters
    within the trials that have them. The two measure different things: how much of the objective's variance comes
    from a hyperparameter, and how much it tells the best tenth of the trials from the rest.

    Args:
        study: With at least two completed trials whose values differ.
        at: Position of the objective.
        objective: The objective.

    Returns:
        The shares; all 0 where no hyperparameter tells anything.
    """
    # Loads scikit-learn's forests, which a search does not need before its end.
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator  # noqa: PLC0415

    some = _thinned_study(study)
    trials = some.get_trials(deepcopy=False)
    names = sorted({name for trial in trials for name in trial.distributions})
    always = [name for name in names if len({trial.distributions.get(name) for trial in trials}) == 1]
    others = [name for name in names if name not in always]
    rare = tuple(name for name in others if sum(name in trial.params for trial in trials) < ENOUGH)
    judged = [name for name in names if name not in rare]
    forest = FanovaImportanceEvaluator(n_trees=_TREES, max_depth=_DEPTH, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            values = forest.evaluate(some, params=always, target=_target(at, 1)) if always else {}
        except RuntimeError:  # no tree can tell the trials apart
            values = dict.fromkeys(always, 0.0)
        # It explains what makes its target small.
        every = (
            PedAnovaImportanceEvaluator().evaluate(some, judged, target=_target(at, objective.sign()))
            if others
            else {}
        )
    return Importance(_shares(values, always), _shares(every, [n for n in judged if n in others]), rare)


def importance_bars(importance: Importance) -> Figure:
    """Bars of the shares, the largest on top, a colour an evaluator."""
    traces, names = [], [*reversed(importance.conditional), *reversed(importance.unconditional)]
    for shares, evaluator, colour in (
        (importance.unconditional, _FANOVA, "--front"),
        (importance.conditional, _PED_ANOVA, "--start"),
    ):
        if not shares:
            continue
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": evaluator,
                "x": [short(100 * share) for share in shares.values()],
                "y": [html.escape(name) for name in shares],
                "text": [f"{100 * share:.1f} %" for share in shares.values()],
                "textposition": "outside",
                "cliponaxis": False,
                "marker": {"color": colour},
                "hoverinfo": "skip",
                "showlegend": True,
            }
        )
    across = {
        "title": {"text": "importance"},
        "ticksuffix": " %",
        "range": [0, 112],  # the longest bar has its number behind it
        "dtick": 25,
    }
    up = {"type": "category", "categoryorder": "array", "categoryarray": [html.escape(name) for name in names]}
    return assembled(traces, across, up, height=130 + 26 * len(names))


def _thinned_study(study: optuna.Study) -> optuna.Study:
    """The completed trials, or as many as an evaluation takes seconds for, in memory."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    some = optuna.create_study(directions=study.directions)
    some.add_trials(thinned(complete, _MOST_TRIALS))
    return some


def _shares(values: dict[str, float], names: list[str]) -> dict[str, float]:
    total = sum(values.values())
    shares = {name: float(values[name] / total) if total else 0.0 for name in names}
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def _target(at: int, sign: int) -> Callable[[FrozenTrial], float]:
    return lambda trial: sign * trial.values[at]
