"""Whether the original model knows what it is asked to forget and to keep: a wrong one is found before any work."""

import json
from dataclasses import dataclass

from antisample.errors import ConfigError
from antisample.metrics import Predictions
from antisample.models.agreement import LEVEL, chance_accuracy, guesses, other_order
from antisample.types import Dataset, Splits

_NOTHING = 0.05
_SHOWN = 5
ACCEPT = "To continue anyway, use `--accept-original` (`model.accept_original: true`)."


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

    def describe(self) -> str:
        """Both accuracies with their numbers of images."""
        return (
            f"validation accuracy {self.forget:.1%} on {self.forget_images:,} images to forget, "
            f"{self.retain:.1%} on {self.retain_images:,} to retain"
        )


def check_original(predictions: Predictions, dataset: Dataset, splits: Splits) -> None:
    """Refuses an original model that knows nothing of the data, or nothing of what it is to forget.

    What too few images do not decide is let through; the accuracy is printed anyway.

    Args:
        predictions: The original's of the validation part.
        dataset: The data.
        splits: Of the request.

    Raises:
        ConfigError: If the classes are in another order than the model's, if its accuracy is not above chance
            (one-sided, 99 %), or if there is nothing to forget.
    """
    labels, said = predictions.labels, predictions.probabilities.argmax(axis=1)
    if predictions.forget is not None:  # samples to forget are training images; the others are unseen
        labels, said = labels[~predictions.forget], said[~predictions.forget]
    order = other_order(labels, said, dataset.n_classes)
    if order is not None:
        moved = [(dataset.class_names[row], dataset.class_names[column]) for row, column in order.items()]
        examples = ", ".join(f"{_quoted(true)} is predicted as {_quoted(name)}" for true, name in moved[:_SHOWN])
        more = f", and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else ""
        raise ConfigError(
            f"The classes of the original model are in a different order from the data: {examples}{more}. Put the "
            f"class names of the data into the model's order, or reorder the rows of its last layer. {ACCEPT}"
        )
    if guesses(labels, said):
        right, images = int((labels == said).sum()), len(labels)
        raise ConfigError(
            f"The original model knows nothing about this data: it is right on {right:,} of {images:,} validation "
            f"images ({right / images:.1%}), and guesses with the same frequencies would be right on "
            f"{chance_accuracy(labels, said):.1%}. Likely reasons: weights of another data set, the "
            f"wrong normalisation, classes in a different order, or too little training. {ACCEPT}"
        )
    accuracy = OriginalAccuracy.of(predictions, splits)
    if accuracy.forget < min(_NOTHING, 1 / dataset.n_classes) and _far_below(accuracy):
        names = ", ".join(_quoted(dataset.class_names[label]) for label in splits.forget_classes)
        what = "images to forget" if splits.by_samples else f"validation images of {names}"
        raise ConfigError(
            f"There is nothing to forget: the original model recognises {accuracy.forget:.1%} of "
            f"{accuracy.forget_images:,} {what}, and {accuracy.retain:.1%} of the others. Likely reasons: it has "
            f"forgotten them before, was never trained on them, or uses another label for them. {ACCEPT}"
        )


def _far_below(accuracy: OriginalAccuracy) -> bool:
    """Whether there is evidence that it recognises less than half as much of the images to forget as of the rest."""
    from scipy.stats import binom  # noqa: PLC0415  (a second that few need to wait for)

    right = round(accuracy.forget * accuracy.forget_images)
    return bool(binom.cdf(right, accuracy.forget_images, accuracy.retain / 2) <= LEVEL)


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
