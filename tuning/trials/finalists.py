"""Finalists: the trials that a study runs again before it chooses, since the best of many noisy figures is lucky.

A trial is on the front for its figures, so these figures are better than it is. The finalists are judged by fresh
runs alone, and a limit counts as kept where the upper bound of the mean over these runs keeps it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, variance
from typing import TYPE_CHECKING

from scipy.special import stdtrit

from tuning.config.objectives import DEPTH, RETAIN
from tuning.trials import depth
from tuning.trials.choice import Choice
from tuning.trials.front import front_of
from tuning.trials.limits import Limits
from tuning.trials.records import TrialRecord
from tuning.trials.selection import choose

if TYPE_CHECKING:
    from tuning.config.study import StudyConfig

Runs = Mapping[int, Sequence[Mapping[str, float]]]
"""Metrics of fresh runs, by number of the trial and in the order of their seeds."""

_CONFIDENCE = 0.95
_PRIOR = 2
"""Runs' worth of trust in the variance that finalists have in common; see `_errors`."""


@dataclass(frozen=True)
class Estimate:
    """What the fresh runs say of a finalist.

    Attributes:
        trial: The trial, whose metrics are the means over its fresh runs.
        n: How many runs.
        errors: Standard errors of these means, by metric name.
        margin: How many standard errors the bounds lie away from the means.
    """

    trial: TrialRecord
    n: int
    errors: Mapping[str, float]
    margin: float

    def bounded(self, worst: Mapping[str, int], sign: int = 1) -> TrialRecord:
        """The trial with each of these metrics at its bound.

        Args:
            worst: In which direction a metric is worse: 1 for higher, -1 for lower.
            sign: 1 for the worst that it may be, -1 for the best.
        """
        moved = {
            name: self.trial.metrics[name] + sign * direction * self.margin * self.errors[name]
            for name, direction in worst.items()
        }
        return replace(self.trial, metrics={**self.trial.metrics, **moved})


@dataclass(frozen=True)
class Decision:
    """What follows from the fresh runs so far.

    Attributes:
        estimates: Of the finalists that have runs, in their order.
        in_play: Numbers of those that may still be chosen.
        choice: The trial to take now.
        is_sure: Whether the choice keeps every limit by its upper bound.
        is_settled: Whether more runs would change nothing.
    """

    estimates: tuple[Estimate, ...]
    in_play: tuple[int, ...]
    choice: Choice
    is_sure: bool
    is_settled: bool


def find_finalists(
    records: Iterable[TrialRecord], config: "StudyConfig", original: dict[str, float]
) -> list[TrialRecord]:
    """The trials that are run again; see `rank`.

    Args:
        records: Trials of the study.
        config: Its selection rule is read.
        original: Metrics of the original model.

    Returns:
        At most `selection.finalists`; none where there is nothing to decide.
    """
    ranked = rank(records, config, original)
    return ranked if len(ranked) > 1 else []


def rank(records: Iterable[TrialRecord], config: "StudyConfig", original: dict[str, float]) -> list[TrialRecord]:
    """The trials that the rule takes, one after another, as long as they qualify.

    The second is what the rule would take if there were no first, and so on, of the front that is then the front: a
    lucky trial dominates better ones, which are not on the front of all. Where one forgets, all do.

    Args:
        records: Trials of a study.
        config: Its selection rule is read.
        original: Metrics of the original model.

    Returns:
        At most `selection.finalists`; none with `oracle`.
    """
    rest, ranked = list(records), list[TrialRecord]()
    limits = Limits(config.selection, original, by_samples=config.by_samples)
    if config.selection.by == "oracle":
        return []
    while rest and len(ranked) < config.selection.finalists:
        chosen = choose(front_of(rest, config.objectives, config.constraints), config, original).chosen
        if chosen is None or (ranked and limits.forgets(ranked[0]) and not limits.forgets(chosen)):
            break
        ranked.append(chosen)
        rest.remove(chosen)
    return ranked


def decide(
    finalists: Sequence[TrialRecord], runs: Runs, config: "StudyConfig", original: dict[str, float]
) -> Decision | None:
    """Applies the rule to the fresh runs.

    Among finalists that keep every limit for sure, the rule takes one by its means. Where none does, it takes one of
    those that may.

    Args:
        finalists: See `find_finalists`.
        runs: Their fresh runs.
        config: Its selection rule is read.
        original: Metrics of the original model.

    Returns:
        The decision; None while a variance is not known: no finalist has two runs.
    """
    estimates = _estimates(finalists, runs)
    if not estimates or max(estimate.n for estimate in estimates) < 2:
        return None
    limits = Limits(config.selection, original, by_samples=config.by_samples)
    worst = {limits.left_metric: 1, RETAIN: -1}
    if depth.is_judged_by_depth(config):
        worst |= {depth.DROP: 1}

    def keeps(estimate: Estimate, sign: int) -> bool:
        return keeps_every_limit(estimate.bounded(worst, sign), config, original)

    sure = [estimate for estimate in estimates if keeps(estimate, 1)]
    possible = [estimate for estimate in estimates if keeps(estimate, -1)]
    choice = choose([estimate.trial for estimate in sure or possible or estimates], config, original)
    number = choice.chosen.number if choice.chosen is not None else None
    leader = next((estimate for estimate in sure if estimate.trial.number == number), None)
    target = {DEPTH: 1} if depth.is_judged_by_depth(config) else {RETAIN: -1}
    rivals = [
        estimate
        for estimate in possible
        if estimate is not leader and (leader is None or not _is_worse(estimate, leader, runs, target))
    ]
    in_play = tuple(each.trial.number for each in estimates if each is leader or each in rivals)
    return Decision(tuple(estimates), in_play, choice, leader is not None, leader is not None and not rivals)


def keeps_every_limit(record: TrialRecord, config: "StudyConfig", original: dict[str, float]) -> bool:
    """Whether a trial forgets and keeps enough; where depth counts, it keeps nearly as much as a mask, too.

    Args:
        record: The trial, by its metrics.
        config: Its selection rule is read.
        original: Metrics of the original model.
    """
    limits = Limits(config.selection, original, by_samples=config.by_samples)
    near = not depth.is_judged_by_depth(config) or depth.is_near(record, config)
    return limits.forgets(record) and limits.keeps(record) and near


def _estimates(finalists: Sequence[TrialRecord], runs: Runs) -> list[Estimate]:
    own = {trial.number: runs[trial.number] for trial in finalists if runs.get(trial.number)}
    names = sorted({name for each in own.values() for name in each[0]})
    common = {name: _common_variance([[run[name] for run in each] for each in own.values()]) for name in names}
    estimates = []
    for trial in finalists:
        if trial.number not in own:
            continue
        each, n = own[trial.number], len(own[trial.number])
        metrics = {name: fmean(run[name] for run in each) for name in each[0]}
        errors = {name: math.sqrt(_moderated([run[name] for run in each], common[name]) / n) for name in each[0]}
        margin = float(stdtrit(_PRIOR + n - 1, _CONFIDENCE))
        estimates.append(Estimate(replace(trial, metrics={**trial.metrics, **metrics}), n, errors, margin))
    return estimates


def _common_variance(groups: Sequence[Sequence[float]]) -> float:
    """The variance within groups; 0 where no group has two values."""
    degrees = sum(len(values) - 1 for values in groups)
    squares = sum((len(values) - 1) * variance(values) for values in groups if len(values) > 1)
    return squares / degrees if degrees else 0.0


def _moderated(values: Sequence[float], common: float) -> float:
    """A variance of few values, drawn towards the one that all have in common (Smyth, 2004)."""
    own = variance(values) if len(values) > 1 else 0.0
    return (_PRIOR * common + (len(values) - 1) * own) / (_PRIOR + len(values) - 1)


def _is_worse(rival: Estimate, leader: Estimate, runs: Runs, target: Mapping[str, int]) -> bool:
    """Whether a finalist is surely worse than the leader in what is sought; compared seed by seed."""
    ((name, direction),) = target.items()
    pairs = zip(runs[rival.trial.number], runs[leader.trial.number], strict=False)
    differences = [direction * (one[name] - other[name]) for one, other in pairs]
    if len(differences) < 2:
        return False
    n, common = len(differences), (rival.errors[name] ** 2 + leader.errors[name] ** 2) / 2
    squared = (_PRIOR * common + (n - 1) * variance(differences) / n) / (_PRIOR + n - 1)
    return fmean(differences) > rival.margin * math.sqrt(squared)
