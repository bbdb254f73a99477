"""How well a configuration has done: its rank within each request by the selection rule, and the mean over requests.

Accuracies of two requests cannot be compared, but ranks can: what is easy for one class is hard for another.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from search_spaces import Value
from tuning.config.objectives import DEPTH, RETAIN
from tuning.config.study import StudyConfig
from tuning.memory.evidence import EarlierStudy, EarlierTrial
from tuning.memory.fitting import Fitting
from tuning.trials import depth
from tuning.trials.origins import SAMPLER
from tuning.trials.records import TrialRecord
from tuning.trials.selection import choose, figures_of_a_choice

UNKNOWN_RANK = 0.5
"""The mean rank of a configuration about which nothing is known."""
_WEIGHT = 0.3
"""Of the rank of the unknown beside that of one request; benchmarks/bench_memory.py."""
_RANKED = 100
"""So many of the best trials of a study are told apart; those behind them share a rank."""


@dataclass(frozen=True)
class RankedConfiguration:
    """A configuration with its evidence.

    Attributes:
        key: Names it: the values that count.
        params: The searched parameters in the new study.
        ranks: Mean rank for each request, in (0, 1), by the names of the studies; 0 is best.
        score: Mean rank over the requests and, with a weight of 0.3, `UNKNOWN_RANK`.
        study: Name of the study in which it ranked best.
        number: Of its trial there.
    """

    key: str
    params: dict[str, Value]
    ranks: dict[str, float]
    score: float
    study: str
    number: int


def rank_configurations(studies: Iterable[EarlierStudy], fitting: Fitting) -> list[RankedConfiguration]:
    """Ranks what earlier studies have tried, best first.

    Each study ranks its trials by itself, since its figures are of its own images. A configuration's rank for a
    request is the mean over the studies of that request, and its score the mean over the requests, drawn a little
    towards 0.5: doing well in three requests counts for more than doing a little better in one.

    Args:
        studies: Of the same method.
        fitting: Into the new study, whose selection rule ranks. What does not fit is not returned, but takes its
            place within its study.

    Returns:
        The configurations that fit, by score; equal ones by their evidence, then by key.
    """
    params: dict[str, dict[str, Value]] = {}
    seen: dict[str, dict[Any, list[tuple[float, EarlierStudy, EarlierTrial]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for study in studies:
        for trial, rank in zip(study.trials, ranks(study, fitting.plan.config), strict=True):
            fit = fitting(trial.values)
            if fit is not None:
                params[fit.key] = fit.params
                seen[fit.key][study.request].append((rank, study, trial))
    ranked = []
    for key, requests in seen.items():
        means: dict[str, float] = {}
        for tried in requests.values():
            name = base = ", ".join(dict.fromkeys(study.name for _, study, _ in tried))
            while name in means:  # other requests with studies of the same name
                name = f"{base} ({len(means) + 1})"
            means[name] = fmean(rank for rank, _, _ in tried)
        every = [each for tried in requests.values() for each in tried]
        _, study, trial = min(every, key=lambda each: (each[0], each[1].name, each[2].number))
        score = (sum(means.values()) + _WEIGHT * UNKNOWN_RANK) / (len(means) + _WEIGHT)
        ranked.append(RankedConfiguration(key, params[key], means, score, study.name, trial.number))
    return sorted(ranked, key=lambda each: (each.score, -len(each.ranks), each.key))


def ranks(study: EarlierStudy, config: StudyConfig) -> list[float]:
    """The rank of each trial of a study, in (0, 1); the smaller, the better.

    Trials that keep the constraints of their own study come first. Among them the order is the one in which the
    selection rule would choose: the trial that it chooses of all, the one that it would choose if that were not
    there, and so on. So those that forget and keep enough come first, then depth and retain accuracy count as the
    rule weighs them. Metrics that some trial of the study lacks are left out.

    Args:
        study: Its trials are ranked.
        config: Its selection rule ranks, also by depth where it searches for depth and the study has measured it.
    """
    rule, original = _rule_for(study, config), {} if study.original is None else {RETAIN: study.original}
    present = set.intersection(*(set(trial.metrics) for trial in study.trials)) if study.trials else set()
    left_out = dict.fromkeys(set(figures_of_a_choice(rule)) - present, 0.0)  # the same for all decides nothing
    order: list[int] = []
    for allowed in (True, False):
        left = {
            position: _record(position, trial, {**{n: trial.metrics[n] for n in present}, **left_out})
            for position, trial in enumerate(study.trials)
            if trial.allowed is allowed
        }
        while left and len(order) < _RANKED:
            choice = choose(list(left.values()), rule, original)
            best = choice.chosen or choice.nearest
            if best is None:
                break
            order.append(best.number)
            del left[best.number]
    n, behind = len(study.trials), (len(order) + len(study.trials) + 1) / 2
    places = {position: place + 1.0 for place, position in enumerate(order)}
    return [places.get(position, behind) / (n + 1) for position in range(n)]


def _rule_for(study: EarlierStudy, config: StudyConfig) -> StudyConfig:
    """The selection rule, without depth where that is not known of every trial."""
    known = all(name in trial.metrics for trial in study.trials for name in depth.FIGURES)
    if known or not depth.is_judged_by_depth(config):
        return config
    others = tuple(objective for objective in config.objectives if objective.metric != DEPTH)
    return config.model_copy(update={"objectives": others})


def _record(position: int, trial: EarlierTrial, metrics: dict[str, float]) -> TrialRecord:
    """A trial as the selection rule reads it, under its position."""
    return TrialRecord(
        position,
        "COMPLETE",
        SAMPLER,
        dict(trial.values),
        (),
        None,
        metrics,
        {},
        dict(trial.counts),
        (),
        0.0,
        0,
        0,
        None,
        {},
        None,
        {},
        {},
    )
