"""Whether the original model knows what it is asked to forget and to keep: a wrong one is found before any work."""

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from antisample.errors import ConfigError
from antisample.metrics import Predictions
from antisample.types import Dataset, Splits

_LEVEL = 0.01
_NOTHING = 0.05
_SHOWN = 5
_IMAGES_TO_TELL = 5
ACCEPT = "To go on all the same, give `--accept-original` (`model.accept_original: true`)."


@dataclass(frozen=True)
class OriginalAccuracy:
    """How well the original model does on validation images, which it has not seen.

    Attributes:
        forget: Accuracy in [0, 1] on validation images of the classes to forget; where single images are to be
            forgotten, on these.
        retain: On the other validation images.
        forget_images: How many images `forget` stands on.
        retain_images: How many images `retain` stands on.
    """

    forget: float
    retain: float
    forget_images: int
    retain_images: int

    @classmethod
    def of(cls, predictions: Predictions, splits: Splits) -> "OriginalAccuracy":
        """Reads it off the predictions of the validation part."""
        forget, correct = predictions.forget_mask(splits.forget_classes), predictions.correct()
        of_forget, of_retain = (float(correct[side].mean()) if side.any() else 0.0 for side in (forget, ~forget))
        return cls(of_forget, of_retain, int(forget.sum()), int((~forget).sum()))

    def in_words(self) -> str:
        """Both accuracies with their numbers of images."""
        return (
            f"validation accuracy {self.forget:.1%} on {self.forget_images:,} images to forget, "
            f"{self.retain:.1%} on {self.retain_images:,} to retain"
        )


def check_original(predictions: Predictions, dataset: Dataset, splits: Splits) -> None:
    """Refuses an original model that knows nothing of the data, or nothing of what it is to forget.

    Args:
        predictions: The original's of the validation part.
        dataset: The data.
        splits: Of the request.

    Raises:
        ConfigError: If the classes are in another order than the model's, if its accuracy is not above chance
            (one-sided, 99 %), or if there is nothing to forget.
    """
    confusion = predictions.confusion()
    if predictions.forget is not None:  # samples to forget are training images; the others are unseen
        others = ~predictions.forget
        confusion = Predictions(
            predictions.probabilities[others], predictions.losses[others], predictions.labels[others]
        ).confusion()
    order = other_order(confusion)
    if order is not None:
        moved = [(dataset.class_names[row], dataset.class_names[column]) for row, column in order.items()]
        examples = ", ".join(f"{_quoted(true)} is called {_quoted(said)}" for true, said in moved[:_SHOWN])
        more = f", and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else ""
        raise ConfigError(
            f"The original model has its classes in another order than the data: {examples}{more}. Give the data's "
            f"class names in the model's order, or reorder the rows of its last layer. {ACCEPT}"
        )
    right, images = int(np.trace(confusion)), int(confusion.sum())
    chance = chance_accuracy(confusion)
    if images and _not_above(right, images, chance):
        raise ConfigError(
            f"The original model knows nothing of this data: it is right on {right:,} of {images:,} validation "
            f"images ({right / images:.1%}), and guessing would be on {chance:.1%}. Likely reasons: weights of "
            "another data set, another normalisation than the model expects, its classes in another order, or too "
            f"short a training. {ACCEPT}"
        )
    accuracy = OriginalAccuracy.of(predictions, splits)
    if accuracy.forget < min(_NOTHING, 1 / dataset.n_classes):
        names = ", ".join(_quoted(dataset.class_names[label]) for label in splits.forget_classes)
        what = "images to forget" if splits.by_samples else f"validation images of {names}"
        raise ConfigError(
            f"There is nothing to forget: the original model recognises {accuracy.forget:.1%} of "
            f"{accuracy.forget_images:,} {what}, and {accuracy.retain:.1%} of the others. Likely reasons: it has "
            f"forgotten them before, was never trained on them, or calls them by another label. {ACCEPT}"
        )


def chance_accuracy(confusion: npt.NDArray[np.int64]) -> float:
    """The accuracy of guesses as frequent as the model's: what Cohen's kappa calls agreement by chance.

    A model that always gives the most frequent class is not above it, however unbalanced the data.

    Args:
        confusion: Counts by true class (row) and predicted class (column).
    """
    total = confusion.sum()
    return float((confusion.sum(axis=0) * confusion.sum(axis=1)).sum() / total**2) if total else 0.0


def other_order(confusion: npt.NDArray[np.int64]) -> dict[int, int] | None:
    """Finds out whether a confusion matrix is a permutation: classes are usually called by each other's names.

    Args:
        confusion: Counts by true class (row) and predicted class (column).

    Returns:
        By each class that is moved, what it is called; None if the classes stand in their order.
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415  (a second that few need to wait for)

    rows, columns = linear_sum_assignment(confusion, maximize=True)
    moved = {int(row): int(column) for row, column in zip(rows, columns, strict=True) if row != column}
    images = confusion.sum(axis=1)
    moved = {row: column for row, column in moved.items() if images[row]}
    if len(moved) < 2:
        return None
    places = list(moved)
    matched = sum(int(confusion[row, column]) for row, column in moved.items())
    right = sum(int(confusion[row, row]) for row in places)
    enough = len(moved) > len(confusion) / 2 or images[places].sum() >= _IMAGES_TO_TELL * len(moved)
    usually = all(confusion[row].argmax() == column for row, column in moved.items())
    if not (enough and usually) or 4 * right > matched:
        return None
    return None if _not_above(matched, int(images[places].sum()), 1 / len(confusion)) else moved


def _not_above(right: int, images: int, chance: float) -> bool:
    """Whether so many right answers are no evidence against guessing; False where not even all of them would be."""
    from scipy.stats import binom  # noqa: PLC0415  (a second that few need to wait for)

    if chance**images > _LEVEL:
        return False
    return bool(binom.sf(right - 1, images, chance) > _LEVEL)


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
