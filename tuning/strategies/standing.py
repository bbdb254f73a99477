"""What a trial's figures at a rung are worth beside those of others."""

import math
from dataclasses import dataclass

from tuning.config.objectives import RETAIN, minimised_point
from tuning.config.trial_plan import TrialPlan
from tuning.strategies.partial_result import PartialResult
from tuning.trials.pareto import Point

_RECOVERABLE = 0.5
"""A network that keeps this share of its limit after some epochs may keep all of it in the end."""


@dataclass(frozen=True)
class Standing:
    """A trial's figures at a rung.

    Attributes:
        point: Its objectives so far, minimised.
        violation: By how much it breaks constraints; 0 if it keeps them all.
        hopeless: Whether it cannot come to keep them: it is compared, and never goes on.
        exempt: Whether it goes on whatever its figures are, as starting points do.
    """

    point: Point
    violation: float = 0.0
    hopeless: bool = False
    exempt: bool = False


class RungJudge:
    """Reads figures at a rung as the study's objectives and constraints see them.

    Args:
        plan: Of the study.
    """

    def __init__(self, plan: TrialPlan) -> None:
        self._constraints, self._objectives = plan.config.constraints, plan.rung_objectives
        fidelity = plan.config.fidelity
        self._by_replicates = fidelity is None or fidelity.attribute == "replicates"

    def standing(self, now: PartialResult, *, exempt: bool = False) -> Standing | None:
        """The standing of a trial; None if it has figures that are missing or not finite."""
        values = tuple(now.metrics.get(objective.metric, math.nan) for objective in self._objectives)
        limits = [
            constraint.violation(now.metrics) if constraint.metric in now.metrics else math.nan
            for constraint in self._constraints
        ]
        if not all(map(math.isfinite, (*values, *limits))):
            return None
        violation = sum(max(0.0, limit) for limit in limits)
        return Standing(
            minimised_point(values, self._objectives), violation, hopeless=self._is_hopeless(now), exempt=exempt
        )

    def _is_hopeless(self, now: PartialResult) -> bool:
        """Whether a trial is wrecked: too much of its retain accuracy is gone for the rest of it to bring it back.

        Means over replicates are what they are; after a few epochs, a network may have half of what it must keep.
        """
        share = 1.0 if self._by_replicates else _RECOVERABLE
        return any(
            constraint.metric == RETAIN
            and constraint.at_least is not None
            and now.metrics[RETAIN] < share * constraint.at_least
            for constraint in self._constraints
        )
