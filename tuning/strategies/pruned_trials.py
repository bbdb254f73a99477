"""What samplers see of a study: stopped trials, and those that stand on a rung, appear as finished ones.

GP and NSGA-II ignore Optuna's PRUNED trials, and would suggest again and again what was stopped; TPE can rank them
with a single objective only.
"""

import copy
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from tuning.config.objectives import Constraint
from tuning.strategies.eligibility import TrialCheck

PARTIAL = "partial"


def stopped_values(
    trial: FrozenTrial, metrics: list[str], worst: list[float] | None, signs: list[int]
) -> list[float] | None:
    """Objective values that a stopped trial is shown with; None where there are none yet.

    Args:
        trial: PRUNED, or promoted from rung to rung, with the attribute `partial`.
        metrics: One an objective.
        worst: Per objective the worst value of any finished trial, where a stopped trial's own values come too early
            to be taken as they are (fidelity epochs); None to take them as they are (replicates: they are means).
            It also stands in for what is measured of finished models alone.
        signs: 1 where smaller is better, -1 where larger is.
    """
    own = [trial.user_attrs[PARTIAL]["metrics"].get(name) for name in metrics]
    if worst is None:
        return None if None in own else own
    return [b if a is None else sign * max(sign * a, sign * b) for a, b, sign in zip(own, worst, signs, strict=True)]


class PrunedAsComplete:
    """A study that shows other trials than it holds; everything else is the study's own."""

    def __init__(self, study: optuna.Study, present: Callable[[list[FrozenTrial]], list[FrozenTrial]]) -> None:
        self._study, self._present = study, present

    def __getattr__(self, name: str) -> Any:
        """Whatever a sampler needs besides trials."""
        return getattr(self._study, name)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        trials = self._present(self._study._get_trials(deepcopy=False, use_cache=use_cache))
        chosen = [trial for trial in trials if states is None or trial.state in states]
        return copy.deepcopy(chosen) if deepcopy else chosen

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        """See `optuna.Study.get_trials`."""
        return self._get_trials(deepcopy, states)

    @property
    def trials(self) -> list[FrozenTrial]:
        """See `optuna.Study.trials`."""
        return self._get_trials()


class PrunedAwareSampler(BaseSampler):
    """A sampler that looks at a study through `PrunedAsComplete`.

    Trials of others are shown as if the study had searched them itself, as far as they fit its space; what does not
    fit would end every further suggestion with an error, or take parameters out of what the sampler models.

    Args:
        sampler: Suggests.
        check: Says what fits.
        metrics: One an objective.
        signs: 1 where smaller is better, -1 where larger is.
        limits: The study's constraints: trials that stand on a rung have none of their own yet.
        pessimistic: See `stopped_values`.

    Attributes:
        learned: Finished trials of elsewhere, shown before the study's own.
        busy_s: Seconds that the sampler has taken in all; what the study takes to keep a suggestion is not in it.
    """

    def __init__(
        self,
        sampler: BaseSampler,
        check: TrialCheck,
        metrics: list[str],
        signs: list[int],
        limits: Sequence[Constraint] = (),
        *,
        pessimistic: bool,
    ) -> None:
        self.sampler, self._check = sampler, check
        self._ended: dict[int, FrozenTrial | None] = {}  # by number, as they are shown
        self._metrics, self._signs, self._limits, self._pessimistic = metrics, signs, limits, pessimistic
        self.learned: list[FrozenTrial] = []
        self.busy_s = 0.0

    def shown(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        """The trials, stopped ones as finished ones, after those of elsewhere."""
        trials = [fitting for trial in trials if (fitting := self._fitting(trial)) is not None]
        finished = [trial.values for trial in trials if trial.state == TrialState.COMPLETE]
        worst = None
        if self._pessimistic and finished:
            columns = zip(*finished, strict=True)
            worst = [sign * max(sign * v for v in column) for sign, column in zip(self._signs, columns, strict=True)]
        return [*self.learned, *(self._finished(trial, worst) for trial in trials)]

    def _fitting(self, trial: FrozenTrial) -> FrozenTrial | None:
        """A trial as the study would have searched it; None if it does not fit."""
        if not trial.state.is_finished():
            return trial if self._check.misfit(trial) is None else None
        if trial.number not in self._ended:
            self._ended[trial.number] = self._ended_fitting(trial)
        return self._ended[trial.number]

    def _ended_fitting(self, trial: FrozenTrial) -> FrozenTrial | None:
        if trial.state == TrialState.PRUNED:
            return trial if self._check.is_own(trial) else None
        if trial.state != TrialState.COMPLETE:
            return trial
        if not self._check.is_own(trial) and self._check.ignorance(trial) is not None:
            return None
        searched = {name: self._check.distributions[name] for name in trial.params}
        if trial.distributions == searched:
            return trial
        fitting = copy.copy(trial)
        fitting.distributions = searched
        return fitting

    def _finished(self, trial: FrozenTrial, worst: list[float] | None) -> FrozenTrial:
        if trial.state not in (TrialState.PRUNED, TrialState.RUNNING) or PARTIAL not in trial.user_attrs:
            return trial
        values = stopped_values(trial, self._metrics, worst, self._signs)
        if values is None:
            return trial
        completed = copy.copy(trial)
        completed.state = TrialState.COMPLETE
        completed.values = values
        if trial.state == TrialState.RUNNING:
            completed.system_attrs = dict(trial.system_attrs)
            for limit in self._limits:
                completed.set_constraint(str(limit), limit.violation(trial.user_attrs[PARTIAL]["metrics"]))
        return completed

    @contextmanager
    def _view(self, study: optuna.Study) -> Iterator[optuna.Study]:
        started = time.perf_counter()
        yield cast(optuna.Study, PrunedAsComplete(study, self.shown))
        self.busy_s += time.perf_counter() - started

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """See `BaseSampler`."""
        with self._view(study) as view:
            return self.sampler.infer_relative_search_space(view, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """See `BaseSampler`."""
        with self._view(study) as view:
            return self.sampler.sample_relative(view, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """See `BaseSampler`."""
        with self._view(study) as view:
            return self.sampler.sample_independent(view, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """See `BaseSampler`."""
        with self._view(study) as view:
            self.sampler.before_trial(view, trial)

    def after_trial(self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """See `BaseSampler`."""
        with self._view(study) as view:
            self.sampler.after_trial(view, trial, state, values)

    def reseed_rng(self) -> None:
        """See `BaseSampler`."""
        self.sampler.reseed_rng()
