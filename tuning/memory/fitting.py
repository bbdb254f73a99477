"""Whether a configuration of an earlier study can be a trial of a new one, and which."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from search_spaces import NumberParameter, Parameter, Value
from tuning.config.starting_points import cut_down
from tuning.config.trial_plan import TrialPlan
from tuning.memory.evidence import settled_values


class Fit(NamedTuple):
    """A configuration as a trial of the new study.

    Attributes:
        key: Names the configuration by the values that count.
        params: The searched parameters.
    """

    key: str
    params: dict[str, Value]


class Fitting:
    """Fits configurations into a study: its search space, its fixed values, and defaults of all else.

    Args:
        plan: Of the study.
    """

    def __init__(self, plan: TrialPlan) -> None:
        self.plan = plan
        self._fits: dict[str, Fit | None] = {}

    def __call__(self, values: Mapping[str, Value]) -> Fit | None:
        """The trial that is the configuration; None if there can be none.

        Args:
            values: All hyperparameters. One that this version does not know must not be there; one that does not
                count beside the others may be anything.
        """
        key = json.dumps(values, sort_keys=True)
        if key not in self._fits:
            self._fits[key] = self._fit(values)
        return self._fits[key]

    def _fit(self, values: Mapping[str, Value]) -> Fit | None:
        plan, searched, whole = self.plan, self.plan.space.parameters, self.plan.spaces.whole
        if any(name not in values for name in plan.space.active(values)):
            return None
        params = cut_down(plan.space, values)
        if not all(searched[name].contains(value) for name, value in params.items()):
            return None
        params = {name: _as_suggested(searched[name], value) for name, value in params.items()}
        trial = settled_values(plan.config.method, plan.method_values(params))
        active = set(whole.active(values))
        counting = {name for name in {*values, *trial} if name in active or name not in whole.parameters}
        key = _key(values, counting)
        return Fit(key, params) if key == _key(trial, counting) else None


def _as_suggested(parameter: Parameter, value: Value) -> Value:
    """A value of the type that the sampler would give it."""
    if isinstance(parameter, NumberParameter):
        return int(value) if parameter.integer else float(value)
    return value


def _key(values: Mapping[str, Value], names: set[str]) -> str:
    """What names a configuration by some of its values; whole numbers are the same as floats."""
    plain = {
        name: float(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in values.items()
        if name in names
    }
    return json.dumps(plain, sort_keys=True)
