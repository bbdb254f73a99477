"""The normalisation of an original model that does not state one: tried, and taken only if the images decide."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from antisample.errors import ConfigError
from antisample.types import Dataset, ImageSet, Preprocessing

MOST_IMAGES = 500
_MARGIN = 0.05
_STANDARD_ERRORS = 3
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_WORDS = {
    "0..1": "pixels from 0 to 1",
    "data": "the mean and deviation of the training images",
    "imagenet": "ImageNet's mean and deviation",
    "-1..1": "pixels from -1 to 1",
    "0..255": "pixels from 0 to 255",
}
NORMALISATIONS = tuple(_WORDS)
"""Names of the usual normalisations, as `model.normalisation` takes them."""


def pixel_statistics(images: ImageSet) -> Preprocessing:
    """Mean and standard deviation of each channel, of pixels scaled to [0, 1]; exact, from the counts of levels."""
    levels = np.arange(256) / 255
    mean, std = [], []
    for channel in range(images.images.shape[1]):
        counts = np.bincount(images.images[:, channel].ravel(), minlength=256)
        average = float((counts * levels).sum() / counts.sum())
        spread = float(np.sqrt((counts * (levels - average) ** 2).sum() / counts.sum()))
        mean.append(average)
        std.append(spread or 1.0)
    return Preprocessing(tuple(mean), tuple(std))


def usual_normalisation(name: str, dataset: Dataset) -> Preprocessing:
    """One of `NORMALISATIONS` for the channels of a data set; ImageNet's for grey images are its channels' means."""
    channels = dataset.channels
    if name == "data":
        return pixel_statistics(dataset.train)
    if name == "imagenet":
        mean, std = (values if channels == 3 else (sum(values) / 3,) * channels for values in _IMAGENET)
        return Preprocessing(mean, std)
    shift, scale = {"0..1": (0.0, 1.0), "-1..1": (0.5, 0.5), "0..255": (0.0, 1 / 255)}[name]
    return Preprocessing((shift,) * channels, (scale,) * channels)


def describe(name: str) -> str:
    """What a usual normalisation is."""
    return _WORDS[name]


def decided_normalisation(
    dataset: Dataset, correct: Callable[[Preprocessing], npt.NDArray[np.bool_]], source: str
) -> tuple[str, float]:
    """Tries the usual normalisations on the same images and takes the best, if it wins clearly.

    Args:
        dataset: The data.
        correct: Tells, under a normalisation, which of some validation images the model recognises.
        source: The checkpoint, for the message.

    Returns:
        The name of the best, and its accuracy in [0, 1].

    Raises:
        ConfigError: If it does not win by more than 5 points and three standard errors of the (paired) difference.
    """
    answers = {name: correct(usual_normalisation(name, dataset)) for name in NORMALISATIONS}
    best, second = sorted(answers, key=lambda name: -answers[name].mean())[:2]
    difference = answers[best].astype(float) - answers[second].astype(float)
    images, lead = len(difference), float(difference.mean())
    if lead <= _MARGIN or lead <= _STANDARD_ERRORS * float(difference.std()) / images**0.5:
        scores = ", ".join(f"{name} {answers[name].mean():.1%}" for name in sorted(answers, key=_by(answers)))
        raise ConfigError(
            f"{source}: does not state the normalisation that the model expects, and {images} validation images do "
            f"not distinguish between the common ones ({scores} are recognised). Specify it with `--normalisation`, "
            f"one of {', '.join(NORMALISATIONS)}, or MEAN/STD (`model.normalisation`, or `model.mean` and "
            "`model.std`)."
        )
    return best, float(answers[best].mean())


def _by(answers: dict[str, npt.NDArray[np.bool_]]) -> Callable[[str], float]:
    return lambda name: -float(answers[name].mean())
