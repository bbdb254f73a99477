"""How far a trial has come, and what its figures are worth there."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from tuning.config.objectives import ELAPSED
from tuning.trials.records import EpochRecord


@dataclass(frozen=True)
class PartialResult:
    """A trial's figures as far as it has come.

    Attributes:
        fidelity: Replicates or epochs done.
        metrics: By name, means over the replicates; `elapsed_s` is that of one unlearning.
        standard_error: Of these means, by name; empty where there is a single value.
        n: Replicates behind the means.
    """

    fidelity: int
    metrics: dict[str, float]
    standard_error: dict[str, float]
    n: int


def reached(steps: Sequence[EpochRecord], attribute: str) -> PartialResult | None:
    """Figures at the last step, or None between rungs: in the middle of a replicate, say.

    Args:
        steps: All so far.
        attribute: `replicates` or `epochs`.
    """
    if not steps:
        return None
    if attribute == "epochs":
        return PartialResult(steps[-1].step, {**steps[-1].metrics, ELAPSED: steps[-1].elapsed_s}, {}, 1)
    ends = [step for step in steps if step.last]
    if not steps[-1].last:
        return None
    names = [name for name in ends[0].metrics if name.startswith("validation/")]
    columns = {name: [step.metrics[name] for step in ends] for name in names}
    n = len(ends)
    metrics = {name: fmean(values) for name, values in columns.items()} | {ELAPSED: steps[-1].elapsed_s / n}
    errors = {name: stdev(values) / sqrt(n) for name, values in columns.items()} if n > 1 else {}
    return PartialResult(n, metrics, errors, n)
