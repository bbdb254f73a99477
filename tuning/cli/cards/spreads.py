"""Spreads of a card over several seeds: compared, described, or listed as unchecked."""

from antisample.export.card import UnlearningCard
from antisample.export.card_parts import SpreadFigure
from antisample.export.verification.statements import Verification, not_checked


def unchecked_spreads(card: UnlearningCard, why: str) -> Verification:
    """All in one statement, since they stand or fall together."""
    n = sum(metric.spread is not None for metric in card.metrics)
    if not n and not card.spread_over:
        return Verification()
    return not_checked("spreads", f"of {n} metrics, over {card.spread_over or 'nothing that is named'}", why)


def is_same_spread(one: SpreadFigure | None, other: SpreadFigure | None) -> bool:
    """Whether mean, standard deviation and number of runs are the same, but for the last digits."""
    if one is None or other is None:
        return one is other
    return one.n == other.n and abs(one.mean - other.mean) <= 1e-9 and abs(one.std - other.std) <= 1e-9


def describe_spread(spread: SpreadFigure | None) -> str | None:
    """A spread with all its digits; None if there is none."""
    return None if spread is None else f"{spread.mean!r} ± {spread.std!r} (n = {spread.n})"
