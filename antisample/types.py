"""The values that flow through the core. All are frozen; arrays in them are treated as read-only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from antisample.errors import ConfigError

IndexArray = npt.NDArray[np.int64]
SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class ImageSet:
    """Labelled images.

    Attributes:
        images: [n, channels, height, width]; may be a read-only memory map. uint8 pixels; of objects in memory also
            float32, which are the model's input as they are (`UNCHANGED`).
        labels: int64, shape [n], values in [0, number of classes).
    """

    images: npt.NDArray[np.uint8 | np.float32]
    labels: IndexArray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A train and a test split, and sometimes one for validation, with the names of their classes.

    Attributes:
        name: As the user gave it: a registered name, or the last part of a path.
        train: The training split.
        test: The test split.
        class_names: One name a class; the position is the label.
        fingerprint: Hexadecimal digest of all pixels and labels; keys every cache that depends on the data.
        validation: The data's own validation split, if it has one beside train and test.
        notes: What the user should know about how the data was read, whole sentences.
    """

    name: str
    train: ImageSet
    test: ImageSet
    class_names: tuple[str, ...]
    fingerprint: str
    validation: ImageSet | None = None
    notes: tuple[str, ...] = ()

    def split(self, name: SplitName) -> ImageSet:
        """One of the splits by its name.

        Raises:
            ConfigError: If the data has no validation split.
        """
        images = {"train": self.train, "test": self.test, "validation": self.validation}[name]
        if images is None:
            raise ConfigError(f"{self.name}: the data has no validation split.")
        return images

    @property
    def n_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for colour; objects in memory may have any number."""
        return int(self.train.images.shape[1])

    @property
    def image_size(self) -> int:
        """Height of an image in pixels; all but objects in memory are square."""
        return int(self.train.images.shape[2])


@dataclass(frozen=True)
class Preprocessing:
    """What a model expects of its input: (pixel / 255 - mean) / std, for each channel.

    Attributes:
        mean: One value a channel, of pixels scaled to [0, 1].
        std: One value a channel, larger than 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class EarlierImages:
    """What a request that was carried out before means on the data; its images are of no use for the present one.

    Attributes:
        classes: Labels of the classes that were forgotten; none where samples were.
        samples: Positions in the training split of the samples that were forgotten, as far as the data holds them.
        most_accuracy: What the accuracy on them may not rise above to count as still forgotten, by part.
        most_probe: Likewise of what a probe with few labels recognises, where that is known.
        in_words: The request as it was made.
        unseen: Positions of its images in the other splits, such as further images of a person; they are measured as
            little as the samples are trained on.
    """

    classes: tuple[int, ...]
    samples: IndexArray
    most_accuracy: Mapping[SplitName, float]
    most_probe: float | None = None
    in_words: str = ""
    unseen: Mapping[SplitName, IndexArray] = field(default_factory=dict)


def _no_positions() -> IndexArray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class CopyFacts:
    """Copies of images to forget among the other images.

    Attributes:
        retain: Among the images to retain.
        validation: Among validation images; of classes to forget, none count.
        test: Likewise, of test images.
        exact: How many of all these are the same, pixel by pixel.
        duplicates: What is done about them: `report` leaves them where they are, `forget` forgets those that would be
            retained and leaves out the others.
        pairs: Of at most 1,000 of them, split, position, position of the original in the training split, and
            similarity; those most alike first.
    """

    retain: int
    validation: int
    test: int
    exact: int
    duplicates: Literal["report", "forget", "refuse"]
    pairs: tuple[tuple[str, int, int, float], ...] = ()

    @property
    def total(self) -> int:
        """All of them."""
        return self.retain + self.validation + self.test

    def describe(self) -> str:
        """How many there are, where, and what is done about them, in a sentence or two."""
        if not self.total:
            return "No copies of the images to forget were found among the other images."
        verb = "is a copy" if self.total == 1 else "are copies"
        split, copy, original, _ = self.pairs[0]
        return (
            f"{self.total:,} other images {verb} of images to forget ({self.exact:,} exact): {self.retain:,} to "
            f"retain, {self.validation:,} for validation and {self.test:,} for test, such as {split} image {copy} of "
            f"train image {original}.{self._action()}"
        ).replace("1 other images is", "1 other image is")

    def _action(self) -> str:
        if self.duplicates == "report":
            return " They stay where they are; `forget.duplicates: forget` would forget them."
        if self.duplicates == "forget":
            return " Those to retain are forgotten, too, and the others are left out."
        return ""


@dataclass(frozen=True)
class Splits:
    """Which images an unlearning may train on, select on, and be judged on.

    Attributes:
        forget_classes: The classes to forget, or those of the samples to forget, ascending.
        forget: Positions in the training split of the images to forget.
        retain: Positions in the training split of the images to keep; validation images are in neither.
        validation: Positions of images the original model has not seen; objectives and selection see these alone.
        validation_from: Which split `validation` points into: train, test or the data's own validation split.
        test: Positions in the test split; computed once, for finished trials.
        fingerprint: Hexadecimal digest of all of the above and of the data set's fingerprint.
        by_samples: Whether single images are to be forgotten, and their classes kept.
        never_seen: How many images of the request the original model has never seen; they are used for nothing.
        earlier: What the model has forgotten before, oldest first. None of its images are in any of the above.
        earlier_train: Positions in the training split of images of classes that were forgotten before.
        earlier_validation: Likewise of those that would be validation images.
        earlier_test: Likewise of those in the test split.
        notes: What there is to say about the request, whole sentences.
        copies: Copies of images to forget among the other images; None if nobody has looked for any.
    """

    forget_classes: tuple[int, ...]
    forget: IndexArray
    retain: IndexArray
    validation: IndexArray
    validation_from: SplitName
    test: IndexArray
    fingerprint: str
    by_samples: bool = False
    never_seen: int = 0
    notes: tuple[str, ...] = ()
    copies: CopyFacts | None = None
    earlier: tuple[EarlierImages, ...] = ()
    earlier_train: IndexArray = field(default_factory=_no_positions)
    earlier_validation: IndexArray = field(default_factory=_no_positions)
    earlier_test: IndexArray = field(default_factory=_no_positions)

    @property
    def earlier_classes(self) -> tuple[int, ...]:
        """Labels of all classes that the model has forgotten before, ascending."""
        return tuple(sorted({label for each in self.earlier for label in each.classes}))

    @property
    def gone_classes(self) -> tuple[int, ...]:
        """Labels of the classes that cannot be answered when the request is done, ascending."""
        return tuple(sorted({*self.earlier_classes, *(() if self.by_samples else self.forget_classes)}))


@dataclass(frozen=True)
class UnlearnMetrics:
    """Metric values by their public names, `validation/forget_accuracy` and so on; accuracies lie in [0, 1].

    Attributes:
        values: Finite floats by metric name.
        counts: How many images each `<part>/forget` and `<part>/retain` figure stands on.
    """

    values: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class EpochReport:
    """What is known after one epoch of unlearning.

    Attributes:
        step: Epochs done, counted from 1; 0 in the one report of a method without epochs.
        last: Whether this was the final epoch; the report then also holds train and test metrics.
        elapsed_s: Seconds spent unlearning so far (preparation and training), evaluation not counted.
        evaluation_s: Seconds spent evaluating so far.
        train_loss: Mean training loss of the epoch; 0 without one.
        metrics: The metrics of the model as it is now.
    """

    step: int
    last: bool
    elapsed_s: float
    evaluation_s: float
    train_loss: float
    metrics: UnlearnMetrics


StepReport = EpochReport
"""The public name of before: kept for programs that use it."""
