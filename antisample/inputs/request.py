"""What is known of a forget request before any work."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from antisample.metrics.forgetting import Forgetting
from antisample.types import Dataset, Splits


@dataclass(frozen=True)
class RequestData:
    """What is known of a forget request before any work.

    Attributes:
        dataset: The data.
        splits: Forget, retain, validation and test.
        left_out: See `UnlearnInputs`.
    """

    dataset: Dataset
    splits: Splits
    left_out: Mapping[str, str] = field(default_factory=dict)

    def forgetting(self) -> Forgetting:
        """What will be forgotten."""
        return Forgetting.of(self.dataset, self.splits)
