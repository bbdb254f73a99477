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
    return _means(ends, steps[-1].elapsed_s)


def after_replicates(steps: Sequence[EpochRecord], n: int) -> PartialResult | None:
    """Figures of a trial's first n replicates, which may run side by side; None if one has not come to its end."""
    ends = [step for step in steps if step.last and step.replicate < n]
    if len(ends) < n:
        return None
    seconds, before = 0.0, 0.0
    for step in steps:
        seconds += (step.elapsed_s - before) * (step.replicate < n)
        before = step.elapsed_s
    return _means(ends, seconds)


def after_epochs(steps: Sequence[EpochRecord], n: int) -> PartialResult | None:
    """Figures of a trial of one replicate after n epochs; None if it has not come so far."""
    return reached(steps[:n], "epochs") if len(steps) >= n else None


def result_of(steps: Sequence[EpochRecord]) -> tuple[dict[str, float], dict[str, float]]:
    """All metrics of a whole trial: means over its replicates, and standard deviations where there are several."""
    ends = [step.metrics for step in steps if step.last]
    columns = {name: [metrics[name] for metrics in ends] for name in ends[0]}
    spread = {name: stdev(values) for name, values in columns.items()} if len(ends) > 1 else {}
    return {name: fmean(values) for name, values in columns.items()}, spread


def _means(ends: Sequence[EpochRecord], elapsed_s: float) -> PartialResult:
    """Means over replicates that have come to their end, all together in so many seconds."""
    names = [name for name in ends[0].metrics if name.startswith("validation/")]
    columns = {name: [step.metrics[name] for step in ends] for name in names}
    n = len(ends)
    metrics = {name: fmean(values) for name, values in columns.items()} | {ELAPSED: elapsed_s / n}
    errors = {name: stdev(values) / sqrt(n) for name, values in columns.items()} if n > 1 else {}
    return PartialResult(n, metrics, errors, n)
