"""Asking Optuna for parameters, and noticing when that takes too long."""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import optuna

from tuning.config.trial_plan import TrialPlan
from tuning.strategies.eligibility import TrialCheck
from tuning.strategies.pruned_trials import PrunedAwareSampler
from tuning.strategies.samplers import make_sampler, resolve_sampler

_SHARE, _BUSY, _ASKED = 0.05, 0.5, 5
_TPE_S = 0.03  # what TPE takes itself
_QUICK = ("tpe", "nsga2", "qmc", "random")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Suggested:
    """A trial to run, or to refuse.

    Attributes:
        trial: Optuna's.
        waited: Whether it was enqueued, by the search or by others.
        misfit: Why it cannot be run, its parameters incomplete; None if it can.
    """

    trial: optuna.Trial
    waited: bool
    misfit: str | None


def is_too_slow(asked_s: float, trial_s: float, workers: int) -> bool:
    """Whether suggesting trials keeps workers waiting.

    Args:
        asked_s: Seconds that a suggestion takes.
        trial_s: Seconds of a trial.
        workers: Trials at once, at least 1; the next of them ends after `trial_s / workers` on average.
    """
    return asked_s > _SHARE * trial_s or asked_s > _BUSY * trial_s / workers


class TrialSuggester:
    """Suggests trials of an Optuna study by the sampler that the configuration names.

    One driver asks for all workers, one after the other. Where a sampler that is slower than TPE takes more than 5 %
    of a trial's time in the median of five askings, or more than half of the time after which the next of the workers
    asks, so that they begin to queue, TPE takes over. Time that a slow database takes is not the sampler's.

    Args:
        study: Where trials are added; its sampler is set here.
        plan: Of the study: sampler, space, objectives and fidelity.
        after_portfolio: Whether the study begins with configurations that did well before.
    """

    def __init__(self, study: optuna.Study, plan: TrialPlan, *, after_portfolio: bool = False) -> None:
        self._after_portfolio = after_portfolio
        self._study, self._config, self._space = study, plan.config, plan.space
        self._check = TrialCheck(plan)
        self._distributions = self._check.distributions
        self._asked_s: deque[float] = deque(maxlen=_ASKED)
        self._learned: list[optuna.trial.FrozenTrial] = []
        self.notice: str | None = None
        self._use(plan.config.sampler)

    def ask(self, trial_s: float | None, n_running: int = 0) -> Suggested:
        """Suggests a trial, or what others have enqueued.

        Args:
            trial_s: Median seconds of the trials so far; None before the first.
            n_running: What runs on workers meanwhile; a trial that waits for its promotion does not count.
        """
        before_s = self._sampler.busy_s
        trial = self._study.ask()
        before = trial._cached_frozen_trial
        waited = "fixed_params" in before.system_attrs or bool(before.params) or bool(before.user_attrs)
        misfit = self._complete(trial, waited=waited)
        self._asked_s.append(self._sampler.busy_s - before_s)
        if trial_s is not None and len(self._asked_s) == _ASKED and self._name not in _QUICK:
            self._give_way_if_slow(median(self._asked_s), trial_s, n_running + 1)
        return Suggested(trial, waited, misfit)

    def _give_way_if_slow(self, asked_s: float, trial_s: float, workers: int) -> None:
        if asked_s <= _TPE_S or not is_too_slow(asked_s, trial_s, workers):
            return
        for_whom = f" with {workers} trials at once" if workers > 1 else ""
        self.notice = (
            f"The sampler {self._name} took {asked_s:.2f} s to suggest a trial of {trial_s:.1f} s{for_whom}; "
            "switching to tpe."
        )
        _logger.warning(self.notice)
        self._use("tpe")

    def adopt(self, trial_id: int) -> Suggested:
        """A trial that is in the study already, with all of its parameters.

        Optuna adds a trial first and suggests its parameters one by one, so a driver that dies meanwhile leaves some
        out. Those are suggested now; what is kept, or was given when the trial was enqueued, stays.

        Args:
            trial_id: Optuna's.
        """
        trial = optuna.Trial(self._study, trial_id)
        return Suggested(trial, False, self._complete(trial))

    def _complete(self, trial: optuna.Trial, *, waited: bool = False) -> str | None:
        """Suggests the parameters that a trial lacks; why it cannot be run, or None."""
        misfit = self._check.misfit(trial._cached_frozen_trial, waited=waited)
        if misfit is None:
            for name in self._space.order():
                if self._space.counts(name, trial._cached_frozen_trial.params):
                    trial._suggest(name, self._distributions[name])
        return misfit

    def add_prior_trials(self, trials: Sequence[Mapping[str, Any]]) -> None:
        """Shows finished trials of another study to the sampler: their `params`, `values` and `constraints`."""
        limits = {str(constraint) for constraint in self._config.constraints}
        self._learned = [
            optuna.trial.create_trial(
                params=t["params"],
                values=t["values"],
                distributions={name: self._distributions[name] for name in t["params"]},
                constraints=t.get("constraints") or None,
            )
            for t in trials
            if limits == set(t.get("constraints", ()))  # those of an older version came without
        ]
        self._sampler.learned = self._learned

    def _use(self, name: str) -> None:
        config = self._config
        n_existing = len(self._study.get_trials(deepcopy=False))
        self._name = resolve_sampler(name)
        sampler = make_sampler(
            name, self._space, config.planned_trials, config.seed, n_existing, after_portfolio=self._after_portfolio
        )
        self._sampler = PrunedAwareSampler(
            sampler,
            self._check,
            [objective.metric for objective in config.objectives],
            [objective.sign() for objective in config.objectives],
            config.constraints,
            pessimistic=config.fidelity is not None and config.fidelity.attribute == "epochs",
        )
        self._sampler.learned = self._learned
        self._study.sampler = self._sampler
