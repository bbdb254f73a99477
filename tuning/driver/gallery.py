"""Single images that tell what a model forgot: forget images that it still recognises, retain images that it lost."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from antisample.inputs import UnlearnInputs
from antisample.metrics.base import part_positions
from antisample.models.predictions import Predictions
from antisample.storage.atomic import atomic_write
from antisample.types import ImageSet, IndexArray, SplitName
from tuning.study.attributes import Gallery, JudgedImage
from tuning.study.pictures import Group, image_file
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord

PART: SplitName = "test"
_MOST, _MOST_PX = 8, 96
_DARK = 32


def take_gallery(
    study: StudyReader, record: TrialRecord, inputs: UnlearnInputs, before: Predictions, after: Predictions
) -> Gallery:
    """Writes the pictures of a trial's gallery.

    Args:
        study: Whose folder they go to.
        record: The trial.
        inputs: Of the first forget request.
        before: What the original model says of the test images.
        after: What the trial's model says of them.

    Returns:
        What is to be noted of them.
    """
    forget = after.forget_mask(inputs.splits.forget_classes)
    recognised = _surest(after, forget & after.correct())
    right_before = ~forget & before.correct()
    lost = _surest(after, right_before & ~after.correct())
    groups: tuple[tuple[Group, IndexArray], ...] = (("recognised", recognised[:_MOST]), ("lost", lost[:_MOST]))
    for group, rows in groups:
        for place, row in enumerate(rows):
            path = image_file(study, record, group, place)
            with atomic_write(path, inside=study.config.directory) as unfinished:
                _picture(_pixels(inputs, int(row))).save(unfinished, "PNG", optimize=True)
    return {
        "recognised": _judged(after, recognised[:_MOST]),
        "n_recognised": len(recognised),
        "n_forget": int(forget.sum()),
        "lost": _judged(after, lost[:_MOST]),
        "n_lost": len(lost),
        "n_right_before": int(right_before.sum()),
    }


def _surest(answers: Predictions, rows: npt.NDArray[np.bool_]) -> IndexArray:
    """Of these rows, those first whose most probable class has the highest probability."""
    positions = np.flatnonzero(rows)
    return positions[np.argsort(-answers.probabilities[positions].max(axis=1), kind="stable")]


def _judged(answers: Predictions, rows: Sequence[int] | IndexArray) -> list[JudgedImage]:
    return [
        {
            "true": int(answers.labels[row]),
            "predicted": int(answers.probabilities[row].argmax()),
            "probability": min(1.0, float(answers.probabilities[row].max())),
        }
        for row in rows
    ]


def _pixels(inputs: UnlearnInputs, row: int) -> npt.NDArray[Any]:
    """The image behind a row of predictions; samples to forget, which are training images, come first."""
    dataset, splits = inputs.dataset, inputs.splits
    images: ImageSet
    images, positions = part_positions(dataset, splits, PART, None)
    if splits.by_samples and row < len(splits.forget):
        images, positions = dataset.train, splits.forget
    elif splits.by_samples:
        row -= len(splits.forget)
    return np.asarray(images.images[positions[row]])


def shown_shades(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Images as people can see them: values that are no pixels are spread over all shades.

    Args:
        values: [n, c, h, w]; pixels lie in [0, 255], and some of what is drawn around them a little outside.

    Returns:
        uint8, [n, 1 or 3, h, w]; of other numbers of channels the mean.
    """
    if values.shape[1] not in (1, 3):
        values = values.mean(axis=1, keepdims=True)
    if values.max() <= _DARK:  # floats that a model is given as they are
        low, high = values.min(), values.max()
        values = 255 * (values - low) / max(high - low, 1e-12)
    return np.asarray(values.round().clip(0, 255).astype(np.uint8))


def _picture(pixels: npt.NDArray[Any]) -> Image.Image:
    """An image, [c, h, w], made smaller where it is large: a page holds it."""
    pixels = shown_shades(pixels[None])[0] if pixels.dtype != np.uint8 or len(pixels) not in (1, 3) else pixels
    picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    picture.thumbnail((_MOST_PX, _MOST_PX))
    return picture
