"""Verifying an unlearning card: whatever it says is computed or compared, and what cannot be is listed apart."""

from pathlib import Path

from antisample.export.card import UnlearningCard
from antisample.export.verification.checks import card_checks
from antisample.export.verification.measured import MeasuredCard, measure_card
from antisample.export.verification.repeated import RepeatedCard, repeat_card, repeated_checks
from antisample.export.verification.statements import Verification, joined, not_checked
from antisample.inputs import SILENT, LoadingListener

TOLERANCE = 1e-4


def verify_card(
    card: UnlearningCard,
    folder: Path,
    tolerance: float = TOLERANCE,
    listener: LoadingListener = SILENT,
    *,
    repeat: bool = False,
    cache_dir: Path | str | None = None,
) -> Verification:
    """Evaluates the model beside a card again, with the card's data, and compares everything that the card states.

    Where the card comes from (its study, its command, spreads over seeds) is not looked at; `tuning.cli.cards.origin`
    does that. The original model and the retrained reference come from checkpoint or cache; where the cache has lost
    them they are trained again.

    Args:
        card: What is stated.
        folder: Holds the model's files and card.md.
        tolerance: Figures hold if they differ by at most this much; other hardware rounds otherwise.
        listener: Is told what happens while data and original model are loaded.
        repeat: Whether to unlearn again: that alone shows that hyperparameters and seed gave these weights.
        cache_dir: Where decoded images and trained models are kept; by default where the card says, which whoever
            sent it has chosen.

    Returns:
        What was checked, and what was not.

    Raises:
        AntisampleError: If data or model file cannot be read.
    """
    measured = measure_card(card, folder, listener, cache_dir)
    return verify_measured(card, measured, tolerance, repeat_card(card, measured) if repeat else None)


def verify_measured(
    card: UnlearningCard, measured: MeasuredCard, tolerance: float = TOLERANCE, repeated: RepeatedCard | None = None
) -> Verification:
    """The same with what was measured before; nothing is computed.

    Args:
        card: What is stated.
        measured: What is the case.
        tolerance: See `verify_card`.
        repeated: What the unlearning came to when it was done once more; None where it was not.
    """
    checks = card_checks(card, measured, tolerance)
    if repeated is not None:
        return checks + repeated_checks(card, measured, repeated)
    why = "`--repeat` unlearns again and compares the weights"
    stated = f"{card.config.method.name}, seed {card.seed}, {card.environment.threads} threads"
    operations = ", ".join(card.environment.not_deterministic) or "none"
    return joined(
        [
            checks,
            not_checked("hyperparameters and seed", stated, why),
            not_checked("environment.not_deterministic", operations, why),
        ]
    )
