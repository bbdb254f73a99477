"""Data sets that come with an installed package: nothing to download."""

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np

from antisample.datasets.pixels import resize_images
from antisample.datasets.source import DecodedData
from antisample.types import ImageSet

_SPLIT_SEED = 0
_TEST_FRACTION = 0.2


class Digits:
    """The 1,797 handwritten digits of scikit-learn: 8x8, grey, 10 classes.

    There is no official split. A fixed, stratified one is drawn with a constant seed: 1,437 images (80 %) to
    train, 360 to test. Pixel values 0 to 16 are scaled to 0 to 255 and rounded.
    """

    def identity(self) -> Sequence[str]:
        """Says which version of scikit-learn the images and the split come from."""
        return ["scikit-learn", version("scikit-learn"), str(_SPLIT_SEED), str(_TEST_FRACTION)]

    def decode(self, image_size: int | None) -> DecodedData:
        """Scales, resizes and splits the images; see `DatasetSource.decode`."""
        # Here, because a worker that reads the cache should not wait for scikit-learn.
        from sklearn.datasets import load_digits  # noqa: PLC0415
        from sklearn.model_selection import train_test_split  # noqa: PLC0415

        digits = load_digits()
        images = resize_images(np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, None], image_size)
        labels = digits.target.astype(np.int64)
        train, test = train_test_split(
            np.arange(len(labels)), test_size=_TEST_FRACTION, random_state=_SPLIT_SEED, stratify=labels
        )
        train.sort()
        test.sort()
        return DecodedData(
            ImageSet(images[train], labels[train]),
            ImageSet(images[test], labels[test]),
            tuple(str(name) for name in digits.target_names),
        )
