"""When a trial is stopped before its full fidelity."""

from collections.abc import Iterable

from tuning.config.trial_plan import TrialPlan
from tuning.strategies.halving import ParetoHalving, rungs
from tuning.strategies.partial_result import PartialResult, reached
from tuning.strategies.standing import RungJudge
from tuning.trials.records import TrialRecord


class StoppingRule:
    """Compares trials at rungs; without a fidelity nothing is ever stopped.

    Starting points are compared too, but run to their end: what a search found is measured by them.

    Args:
        plan: Of the study: fidelity, objectives and constraints.
        records: Trials so far; they stand on the rungs from the start.
    """

    def __init__(self, plan: TrialPlan, records: Iterable[TrialRecord]) -> None:
        self._config = config = plan.config
        self._judge = RungJudge(plan)
        self._halving: ParetoHalving | None = None
        if config.fidelity is not None and not config.fidelity.promotes:
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
        standing = self._judge.standing(now)
        if self._halving is None or standing is None:
            return True  # it fails by itself when it is told
        return self._halving.goes_on(
            number, now.fidelity, standing.point, standing.violation, hopeless=standing.hopeless
        )
