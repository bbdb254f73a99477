"""Which trials are the search's own, and what of those that others put into a study can be used.

Optuna's API and its dashboard can add trials with a result, enqueue parameters, and end a trial by hand. Nothing of
that is refused by Optuna, so each trial is looked at before it is counted, run, or shown to a sampler.
"""

import math
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.trial import FrozenTrial, TrialState

from search_spaces import ChoiceParameter, Parameter
from tuning.config.objectives import ELAPSED, unusable
from tuning.config.trial_plan import TrialPlan
from tuning.strategies.samplers import distributions
from tuning.trials.attribute_types import well_formed
from tuning.trials.failures import FailureKind, failure_kind
from tuning.trials.records import STEP_PREFIX
from tuning.trials.selection import figures_of_a_choice

_OWN = {
    *("key", "number", "seeds", "metrics", "spread", "counts", "partial", "started_ms", "finished_ms", "retries"),
    *("worker", "versions", "error", "failure", "batch_halvings", "rung"),
}
_LONGEST_VALUE = 60


class TrialCheck:
    """Judges the trials of a study.

    Args:
        plan: Of the study: space, objectives and constraints.

    Attributes:
        objectives: Metrics, one an objective.
        needed: Metrics without which a trial has no usable result: of objectives, constraints and the choice.
        distributions: Of the searched parameters.
    """

    def __init__(self, plan: TrialPlan) -> None:
        config, self._space = plan.config, plan.space
        self.objectives = [objective.metric for objective in config.objectives]
        self._at_rungs = [objective.metric for objective in plan.rung_objectives]
        self.distributions: dict[str, BaseDistribution] = distributions(self._space)
        self._limits = {str(constraint) for constraint in config.constraints}
        limited = [constraint.metric for constraint in config.constraints if constraint.metric != ELAPSED]
        self.needed = [*self.objectives, *limited, *figures_of_a_choice(config)]

    def is_own(self, trial: FrozenTrial) -> bool:
        """Whether the search made a trial what it is; False for one that was added, or ended, by somebody else."""
        attributes = trial.user_attrs
        if not trial.state.is_finished():
            return True
        if not well_formed(attributes, STEP_PREFIX):
            return False
        if not self.is_begun_here(trial):
            return _is_refused(trial) or (
                trial.state == TrialState.FAIL and failure_kind(attributes) is FailureKind.INTERRUPTED
            )
        return len(self.fitting(trial.params)) == len(trial.params) and self._has_its_result(trial)

    def _has_its_result(self, trial: FrozenTrial) -> bool:
        attributes = trial.user_attrs
        if trial.state == TrialState.COMPLETE:
            values = [value for value in trial.values or () if math.isfinite(value)]
            return len(values) == len(self.objectives) and not unusable(attributes.get("metrics", {}), self.needed)
        if trial.state == TrialState.PRUNED:
            return not unusable((attributes.get("partial") or {}).get("metrics", {}), self._at_rungs)
        return True

    def is_begun_here(self, trial: FrozenTrial) -> bool:
        """Whether the search asked for a trial under this number; a copy of such a trial has another number."""
        attributes = trial.user_attrs
        return (
            "key" in attributes
            and attributes.get("number", trial.number) == trial.number
            and (well_formed(attributes, STEP_PREFIX) or not trial.state.is_finished())
        )

    def is_under_way(self, trial: FrozenTrial) -> bool:
        """Whether a driver has begun the trial and it has not ended: it runs, or waits for the next driver."""
        waits = trial.state == TrialState.WAITING and self.is_begun_here(trial)
        return waits or trial.state == TrialState.RUNNING

    def misfit(self, trial: FrozenTrial, *, waited: bool = False) -> str | None:
        """Why a trial cannot be run, or None.

        Args:
            trial: Its parameters may be incomplete: the sampler suggests the others.
            waited: Whether it was enqueued, so that nothing of a search can be in it.
        """
        carried = [name for name in trial.user_attrs if name in _OWN or name.startswith(STEP_PREFIX)]
        if carried and (waited or trial.user_attrs.get("number", trial.number) != trial.number):
            return f"it carries `{carried[0]}` of another trial; enqueue only its parameters"
        given = trial.system_attrs.get("fixed_params") or {}
        if not isinstance(given, Mapping):
            return f"its parameters must be a mapping, but are {_short(given)}"
        reason = self._params_misfit({**given, **trial.params})
        if reason is not None:
            return reason
        for name, distribution in trial.distributions.items():
            try:
                check_distribution_compatibility(distribution, self.distributions[name])
            except ValueError:
                return f"`{name}` was added as a {type(distribution).__name__} that this study does not search"
        return None

    def ignorance(self, trial: FrozenTrial) -> str | None:
        """Why a sampler can learn nothing from a finished trial, or None."""
        if trial.state != TrialState.COMPLETE:
            return "it has no result"
        for name in self._space.active(trial.params):
            if name not in trial.params:
                return f"`{name}` is missing"
        reason = self._params_misfit(trial.params)
        if reason is not None:
            return reason
        if not all(map(math.isfinite, trial.values or ())):
            return "its result is not finite"
        limits = trial.constraints
        if set(limits) != self._limits or not all(map(math.isfinite, limits.values())):
            return "its constraints are not those of the study" if limits else "its constraints are missing"
        return None

    def fitting(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that the study searches, as far as their values fit and they count with the others."""
        fits = {name: value for name, value in params.items() if self._value_misfit(name, value) is None}
        counting = self._space.active(fits)
        return {name: value for name, value in fits.items() if name in counting}

    def _params_misfit(self, params: Mapping[str, Any]) -> str | None:
        """Why parameters, of which some may be missing, cannot be those of a trial, or None."""
        for name, value in params.items():
            reason = self._value_misfit(name, value)
            if reason is not None:
                return reason
        counting = self._space.active(params)
        for name in params:
            if name not in counting:
                return f"`{name}` can only be given together with {self._space.condition(name)}"
        return None

    def _value_misfit(self, name: str, value: Any) -> str | None:
        parameter = self._space.parameters.get(name)
        if parameter is None:
            return f"`{name}` is not a parameter that this study searches"
        if _fits(parameter, value):
            return None
        return f"`{name}` must be {_describe(parameter)}, but got {_short(value)}"


def _is_refused(trial: FrozenTrial) -> bool:
    noted = trial.state == TrialState.FAIL and "origin" in trial.user_attrs
    return noted and failure_kind(trial.user_attrs) is FailureKind.REFUSED


def _fits(parameter: Parameter, value: Any) -> bool:
    if isinstance(parameter, ChoiceParameter):  # a dashboard writes 1.0 as 1
        same_kind = [choice for choice in parameter.choices if isinstance(choice, bool) == isinstance(value, bool)]
        return value in same_kind
    return parameter.contains(value)


def _describe(parameter: Parameter) -> str:
    if isinstance(parameter, ChoiceParameter):
        return f"one of {', '.join(map(repr, parameter.choices))}"
    kind = "a whole number" if parameter.integer else "a number"
    return f"{kind} in [{parameter.low:g}, {parameter.high:g}]"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
