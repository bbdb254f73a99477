"""What a trial must forget and keep to be chosen: limits in validation accuracy."""

import math
from collections.abc import Mapping

from tuning.config.objectives import RETAIN
from tuning.config.selection import SelectionConfig
from tuning.trials.choice import Choice
from tuning.trials.records import TrialRecord

_ROUNDING = 1e-9


class Limits:
    """What a trial must forget and keep to be chosen, and by how much one misses it.

    Args:
        selection: The limits.
        by_samples: Whether single images are to be forgotten, not classes.
        original: Metrics of the original model.
    """

    def __init__(self, selection: SelectionConfig, original: Mapping[str, float], *, by_samples: bool) -> None:
        self._selection, self._original, self._by_samples = selection, original, by_samples

    @property
    def forgotten(self) -> str:
        """A description of what counts as forgotten."""
        if self._by_samples:
            points = f"{100 * self._selection.max_forget_gap:.1f} percentage points"
            return f"a forget accuracy within {points} or two standard errors of that on unseen images"
        return f"a validation forget accuracy of at most {self._selection.max_forget_accuracy:.1%}"

    @property
    def most_lost(self) -> str:
        """A description of what a trial may lose."""
        points = 100 * self._selection.max_loss
        amount = f"{points:.1f}" if points >= 1 else f"{points:g}"
        return f"{amount} percentage points of {self._kept} (`selection.max_loss`)"

    @property
    def left_metric(self) -> str:
        """The metric that says what is left of what was to be forgotten, in accuracy."""
        return "validation/forget_gap" if self._by_samples else "validation/forget_accuracy"

    def left(self, record: TrialRecord) -> float:
        """What is left of what was to be forgotten, in accuracy."""
        return record.metrics[self.left_metric]

    def loss(self, record: TrialRecord) -> float:
        """Retain accuracy lost; negative where the trial is better than the original model, or that is not known."""
        return self._original.get(RETAIN, 0.0) - record.metrics[RETAIN]

    def keeps(self, record: TrialRecord) -> bool:
        """Whether it loses no more than it may."""
        return self.loss(record) <= self._selection.max_loss + _ROUNDING

    def forgets(self, record: TrialRecord) -> bool:
        """Whether it forgets well enough."""
        return self.left(record) <= self._forgotten_at(record)

    def shortfall(self, record: TrialRecord) -> float:
        """How far a trial is from forgetting and keeping enough, in accuracy; 0 if it does both."""
        forget = max(0.0, self.left(record) - self._forgotten_at(record))
        return forget + max(0.0, self.loss(record) - self._selection.max_loss)

    def none(self, which: str, nearest: TrialRecord) -> Choice:
        """No trial qualifies, since all lose too much.

        Args:
            which: The trials that lose too much, in words.
            nearest: The trial that is nearest to the limits.
        """
        reason = (
            f"No trial qualifies: {which} loses more than {self.most_lost}. "
            f"The nearest is trial {nearest.number}: {self.describe(nearest)}."
        )
        return Choice(None, nearest, reason)

    def describe(self, record: TrialRecord) -> str:
        """What a trial forgets and keeps."""
        forget, retain, loss = record.metrics["validation/forget_accuracy"], record.metrics[RETAIN], self.loss(record)
        gap = f"{100 * self.left(record):.1f} percentage points"
        away = f", {gap} from that on unseen images" if self._by_samples else ""
        compared = (
            f"{100 * abs(loss):.1f} percentage points {'below' if loss >= 0 else 'above'} that of the original model"
        )
        return f"forget accuracy {forget:.1%}{away}; {self._kept} {retain:.1%}, {compared}"

    @property
    def _kept(self) -> str:
        return "accuracy on unseen images" if self._by_samples else "retain accuracy"

    def _forgotten_at(self, record: TrialRecord) -> float:
        if self._by_samples:
            return max(self._selection.max_forget_gap, 2 * _gap_error(record))
        return self._selection.max_forget_accuracy


def _gap_error(record: TrialRecord) -> float:
    """Standard error of the forget gap if samples were like unseen images; 0 where their numbers are unknown."""
    accuracy = record.metrics[RETAIN]
    numbers = [record.counts.get(f"validation/{kind}", 0) for kind in ("forget", "retain")]
    return math.sqrt(accuracy * (1 - accuracy) * sum(1 / n for n in numbers)) if all(numbers) else 0.0
