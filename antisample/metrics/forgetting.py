"""What a forget request means on the data: which classes, and how many images of each split."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from antisample.metrics import EvaluationSettings, image_counts
from antisample.types import CopyFacts, Dataset, Splits


@dataclass(frozen=True)
class Forgetting:
    """What is going to be forgotten.

    Attributes:
        names: Names of the classes to forget, or of those that the samples belong to.
        labels: Their labels.
        by_samples: Whether single images are forgotten, and their classes kept.
        train: Training images to forget.
        validation: Validation images of the classes to forget; 0 where samples are forgotten.
        test: Likewise.
        copies: Copies of the images to forget among the other images; None if nobody has looked for any.
    """

    names: tuple[str, ...]
    labels: tuple[int, ...]
    by_samples: bool
    train: int
    validation: int
    test: int
    copies: CopyFacts | None = None

    @classmethod
    def of(cls, dataset: Dataset, splits: Splits) -> "Forgetting":
        """Reads it off the splits of a request."""
        counts = image_counts(dataset, splits, EvaluationSettings(), ("validation", "test"))
        validation, test = (0 if splits.by_samples else counts[f"{part}/forget"] for part in ("validation", "test"))
        labels = tuple(int(label) for label in splits.forget_classes)
        names = tuple(dataset.class_names[label] for label in labels)
        return cls(names, labels, splits.by_samples, len(splits.forget), validation, test, splits.copies)

    def describe_classes(self) -> str:
        """Names in quotes, with their labels."""
        pairs = zip(self.names, self.labels, strict=True)
        return ", ".join(f"{json.dumps(name, ensure_ascii=False)} (label {label})" for name, label in pairs)

    def describe(self) -> str:
        """Names in quotes, labels, and images of each split."""
        classes = self.describe_classes()
        if self.by_samples:
            return f"{self.train:,} training images of {classes}"
        return f"{classes}: {self.train:,} training, {self.validation:,} validation and {self.test:,} test images"


def forgetting_line(requests: Sequence[Forgetting]) -> str:
    """The one line that says what is going to be forgotten, before any work."""
    described = "; ".join(request.describe() for request in requests)
    return f"Forgetting {described}" if len(requests) == 1 else f"Forgetting separately: {described}"
