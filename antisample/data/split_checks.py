"""What the splits of a request must leave: something to retain, and something to measure."""

from collections.abc import Sequence

import numpy as np

from antisample.data.forget_request import ForgetRequest
from antisample.errors import ConfigError
from antisample.types import Dataset, EarlierImages, IndexArray, SplitName, Splits


def check_leftover(dataset: Dataset, splits: Splits) -> None:
    """Checks that there is something to retain, and something to measure.

    Raises:
        ConfigError: If nothing is left of a class or a part.
    """
    if splits.by_samples and not len(splits.validation):
        raise ConfigError("`forget` must leave validation images, but got all of them.")
    _check_retained(dataset, splits)
    check_measurable(dataset, splits.forget_classes, "test", splits.test, by_samples=splits.by_samples)


def check_not_forgotten(
    request: ForgetRequest, dataset: Dataset, classes: tuple[int, ...], earlier: Sequence[EarlierImages]
) -> None:
    """Raises ConfigError if what is to be forgotten was forgotten before, or if no class would be left."""
    names, key = dataset.class_names, "forget.samples" if request.samples else "forget.classes"
    asked = np.array(request.samples, np.int64)
    for each in earlier:
        again = [names[label] for label in classes if label in each.classes]
        if again:
            what = f"an image of {again[0]}" if request.samples else again[0]
            raise ConfigError(
                f"`{key}` must name what the model has not forgotten yet, but got {what}, which the earlier request "
                f"for {each.in_words} has forgotten."
            )
        samples = np.intersect1d(asked, each.samples)
        if len(samples):
            raise ConfigError(
                f"`{key}` must name what the model has not forgotten yet, but got {len(samples)} that the earlier "
                f"request for {each.in_words} has forgotten, such as image {samples[0]} of the training split."
            )
    before = {label for each in earlier for label in each.classes}
    if not request.samples and earlier and len(before | set(classes)) == len(names):
        raise ConfigError(
            f"`{key}` must leave at least one class, but {len(before)} are forgotten already and "
            f"{len(classes)} more would leave none."
        )


def _check_retained(dataset: Dataset, splits: Splits) -> None:
    """Raises ConfigError if a class that is kept would have no training images left."""
    forget, retain = (np.unique(dataset.train.labels[part]) for part in (splits.forget, splits.retain))
    gone = np.setdiff1d(forget, retain if splits.by_samples else np.union1d(retain, splits.forget_classes))
    if len(gone):
        names = ", ".join(dataset.class_names[label] for label in gone[:5])
        raise ConfigError(
            f"`forget` must leave training images of every class, but got all of {names}; to forget a whole "
            "class, use `forget.classes`."
        )


def check_measurable(
    dataset: Dataset, classes: tuple[int, ...], split: SplitName, positions: IndexArray, *, by_samples: bool
) -> None:
    """Raises ConfigError if accuracies on the images of a split would be means over nothing."""
    labels = dataset.split(split).labels[positions]
    forgotten = np.isin(labels, classes)
    advice = "; or set `split.validation_from` to train or test" if split == "validation" else ""
    if not len(labels):
        raise ConfigError(f"{dataset.name}: the {split} split must hold images, but is empty{advice}.")
    if not by_samples and not forgotten.any():
        names = ", ".join(dataset.class_names[label] for label in classes)
        raise ConfigError(
            f"{dataset.name}: the {split} split must hold images of the classes to forget, {names}{advice}."
        )
    if not by_samples and forgotten.all():
        raise ConfigError(
            f"{dataset.name}: the {split} split must hold images of other classes than those to forget{advice}."
        )
