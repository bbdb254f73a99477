"""The unlearning of a card done once more: that alone shows whether hyperparameters and seed gave its weights."""

from collections.abc import Mapping
from dataclasses import dataclass

from antisample.checkpoints.checkpoint import weights_fingerprint
from antisample.determinism import deterministic
from antisample.export.card import UnlearningCard
from antisample.export.verification.measured import MeasuredCard, threads_here
from antisample.export.verification.statements import Check, Verification, checked, joined, not_checked
from antisample.unlearning import unlearn

REPEAT_TOLERANCE = 0.05
"""By how much accuracies of the repetition may differ on other hardware or versions, as a share of 1."""

_WHAT = "hyperparameters and seed"


@dataclass(frozen=True)
class RepeatedCard:
    """What an unlearning came to that was done once more.

    Attributes:
        fingerprint: Digest of the weights.
        values: Metrics by name.
        not_deterministic: Operations that may give other bits next time.
    """

    fingerprint: str
    values: Mapping[str, float]
    not_deterministic: tuple[str, ...]


def repeat_card(card: UnlearningCard, measured: MeasuredCard) -> RepeatedCard:
    """Unlearns with the card's configuration and as many threads.

    Args:
        card: What to repeat.
        measured: Its configuration, data and original model.

    Raises:
        AntisampleError: If it cannot be done.
    """
    with deterministic(threads_here(card)) as operations:
        running = unlearn(measured.config, measured.inputs)
        *_, last = running
        fingerprint = weights_fingerprint(dict(running.model.state_dict()))
    return RepeatedCard(fingerprint, last.metrics.values, tuple(operations))


def repeated_checks(card: UnlearningCard, measured: MeasuredCard, repeated: RepeatedCard) -> Verification:
    """Holds a card against the repetition.

    On the same hardware and versions the weights must be the same, bit by bit. Elsewhere they may not be, and the
    accuracies are compared instead.
    """
    stated, here = card.environment, measured.environment
    operations = ", ".join(stated.not_deterministic) or "none"
    other = [
        name
        for name, one, another in (
            ("versions", stated.versions, here.versions),
            ("device", stated.device, here.device),
            ("machine", stated.machine, here.machine),
            ("threads", stated.threads, threads_here(card)),
        )
        if one != another
    ]
    met = checked("environment.not_deterministic", operations, ", ".join(repeated.not_deterministic) or "none")
    if repeated.fingerprint == card.fingerprint:
        return checked(_WHAT, card.fingerprint, repeated.fingerprint) + met
    if other:
        met = not_checked(
            "environment.not_deterministic", operations, f"this machine has other {' and '.join(other)}"
        )
    if not other and not repeated.not_deterministic:
        return checked(_WHAT, card.fingerprint, repeated.fingerprint) + met
    reason = f"other {' and '.join(other)}" if other else f"operations such as {repeated.not_deterministic[0]}"
    why = f"{reason} may change the last digits; accuracies may differ by {REPEAT_TOLERANCE}"
    names = [metric for metric in card.metrics if metric.name.endswith("accuracy")]
    return joined(
        [
            not_checked(_WHAT, card.fingerprint, f"unlearned again: {repeated.fingerprint}; {why}"),
            met,
            Verification(
                tuple(
                    Check(
                        f"repeated {metric.name}",
                        metric.unlearned,
                        value := repeated.values.get(metric.name),
                        value is not None and abs(value - metric.unlearned) <= REPEAT_TOLERANCE,
                    )
                    for metric in names
                )
            ),
        ]
    )
