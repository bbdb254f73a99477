"""The configurations that a new study tries because they have done well before."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tuning.config.starting_points import RECIPE
from tuning.memory.evidence import EarlierStudy
from tuning.memory.fitting import Fitting
from tuning.memory.scoring import UNKNOWN_RANK, RankedConfiguration, rank_configurations
from tuning.study.attributes import RememberedConfiguration

MOST = 5
"""Configurations that are taken over at most."""


class Tier(NamedTuple):
    """Earlier studies that are equally near to the new one.

    Attributes:
        why: What they have in common with it, such as "same model".
        studies: The studies.
    """

    why: str
    studies: Sequence[EarlierStudy]


def choose_portfolio(tiers: Iterable[Tier], fitting: Fitting) -> list[RememberedConfiguration]:
    """Takes the best configurations of the nearest studies, and fills up with those of the next.

    A configuration must lie in today's search space, have today's values where those are fixed, and rank in the
    better half on average. One that the study tries anyway is not taken.

    Args:
        tiers: The nearest first.
        fitting: Into the new study.

    Returns:
        At most `MOST`, in the order in which they are to be tried.
    """
    points = fitting.plan.starting_points
    tried = [params for origin, params in points if not origin.startswith(RECIPE)]
    chosen: list[RememberedConfiguration] = []
    for tier in tiers:
        for each in rank_configurations(tier.studies, fitting):
            if len(chosen) == MOST or each.score >= UNKNOWN_RANK:
                break
            if each.params not in tried:
                tried.append(each.params)
                chosen.append(_remembered(each, tier.why, [one["origin"] for one in chosen]))
    return chosen


def _remembered(ranked: RankedConfiguration, why: str, taken: Sequence[str]) -> RememberedConfiguration:
    origin = base = f"memory {ranked.study}/{ranked.number}"
    again = 1
    while origin in taken:  # two studies of one name
        again += 1
        origin = f"{base} ({again})"
    return {
        "origin": origin,
        "params": ranked.params,
        "why": why,
        "ranks": ranked.ranks,
        "score": ranked.score,
    }
