"""When a trial is stopped before its full fidelity."""

import math
from collections.abc import Iterable

from tuning.config.objectives import RETAIN, minimised_point
from tuning.config.trial_plan import TrialPlan
from tuning.strategies.halving import ParetoHalving, rungs
from tuning.strategies.partial_result import PartialResult, reached
from tuning.trials.records import TrialRecord

_RECOVERABLE = 0.5
"""A network that keeps this share of its limit after some epochs may keep all of it in the end."""


class StoppingRule:
    """Compares trials at rungs; without a fidelity nothing is ever stopped.

    Starting points are compared too, but run to their end: what a search found is measured by them.

    Args:
        plan: Of the study: fidelity, objectives and constraints.
        records: Trials so far; they stand on the rungs from the start.
    """

    def __init__(self, plan: TrialPlan, records: Iterable[TrialRecord]) -> None:
        self._config = config = plan.config
        self._objectives = plan.rung_objectives
        self._by_replicates = config.fidelity is None or config.fidelity.attribute == "replicates"
        self._halving: ParetoHalving | None = None
        if config.fidelity is not None:
            factor = config.fidelity.reduction_factor
            self._halving = ParetoHalving(rungs(config.fidelity.min, plan.full_fidelity, factor), factor)
            for record in records:
                for end in range(1, len(record.steps) + 1):
                    now = reached(record.steps[:end], config.fidelity.attribute)
                    if now is not None:
                        self._goes_on(record.number, now)

    def stops(self, record: TrialRecord) -> PartialResult | None:
        """Figures of a trial that has just come to its end early, or None if it goes on.

        Args:
            record: Its newest step has not been judged yet.
        """
        if self._config.fidelity is None:
            return None
        now = reached(record.steps, self._config.fidelity.attribute)
        if now is None or self._goes_on(record.number, now) or record.origin.is_starting_point:
            return None
        return now

    def _goes_on(self, number: int, now: PartialResult) -> bool:
        values = tuple(now.metrics.get(objective.metric, math.nan) for objective in self._objectives)
        limits = [
            constraint.violation(now.metrics) if constraint.metric in now.metrics else math.nan
            for constraint in self._config.constraints
        ]
        if self._halving is None or not all(map(math.isfinite, (*values, *limits))):
            return True  # it fails by itself when it is told
        point = minimised_point(values, self._objectives)
        violation = sum(max(0.0, limit) for limit in limits)
        return self._halving.goes_on(number, now.fidelity, point, violation, hopeless=self._is_hopeless(now))

    def _is_hopeless(self, now: PartialResult) -> bool:
        """Whether a trial is wrecked: too much of its retain accuracy is gone for the rest of it to bring it back.

        Means over replicates are what they are; after a few epochs, a network may have half of what it must keep.
        """
        share = 1.0 if self._by_replicates else _RECOVERABLE
        return any(
            constraint.metric == RETAIN
            and constraint.at_least is not None
            and now.metrics[RETAIN] < share * constraint.at_least
            for constraint in self._config.constraints
        )
