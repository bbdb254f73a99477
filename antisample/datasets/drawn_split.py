"""A test split for data that has none: a seeded, stratified draw from the training images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from antisample.data.drawing import stratified_subset
from antisample.datasets.source import DecodedData
from antisample.errors import ConfigError, DataError
from antisample.seeds import numpy_stream
from antisample.types import ImageSet, IndexArray


@dataclass(frozen=True)
class TestDraw:
    """How test images are drawn.

    Attributes:
        fraction: Share of each class, in (0, 1).
        seed: Seed of the draw.
    """

    __test__ = False  # for pytest, which takes every class of such a name for tests

    fraction: float
    seed: int

    def key(self) -> str:
        """What tells one draw from another in a cache."""
        return f"test images drawn: {self.fraction!r} of each class, seed {self.seed}"

    def positions(self, labels: IndexArray, class_names: Sequence[str]) -> tuple[IndexArray, IndexArray]:
        """Draws.

        Args:
            labels: Of all images.
            class_names: For the message.

        Returns:
            Positions of the images to train on and of those to test on, ascending.

        Raises:
            ConfigError: If a class would have no image on one side.
        """
        test = stratified_subset(labels, self.fraction, numpy_stream(self.seed, "test"))
        train = np.setdiff1d(np.arange(len(labels)), test)
        empty = np.setdiff1d(labels, labels[train])
        if len(empty):
            raise ConfigError(
                f"`split.test_fraction` {self.fraction} leaves no training image for class "
                f"{', '.join(class_names[label] for label in empty[:5])}."
            )
        return train, test

    def applied(self, data: DecodedData) -> DecodedData:
        """The same images with a test split.

        Raises:
            ConfigError: If a class is too small.
        """
        train, test = self.positions(data.train.labels, data.class_names)
        parts = [ImageSet(data.train.images[part], data.train.labels[part]) for part in (train, test)]
        note = (
            f"The data has no test split, so {len(test)} of its {len(data.train)} images were drawn for testing "
            f"(`split.test_fraction` {self.fraction}, `split.seed` {self.seed}); a checkpoint must not have seen "
            "these."
        )
        return DecodedData(parts[0], parts[1], data.class_names, notes=(*data.notes, note))


def check_draw(origin: str, draw: TestDraw | None, *, has_test: bool, notes: Sequence[str] = ()) -> None:
    """Checks that test images are drawn where there are none, and only there.

    Args:
        origin: Name or folder of the data.
        draw: How they are to be drawn; None if they are not.
        has_test: Whether the data has a test split.
        notes: What was said about the data.

    Raises:
        ConfigError: If they are to be drawn from data that has a test split.
        DataError: If there is neither a test split nor a draw.
    """
    if has_test and draw is not None:
        raise ConfigError(
            f"`split.test_fraction` is for data without a test split, but {origin} has one, and got {draw.fraction}."
        )
    if not has_test and draw is None:
        remarks = "".join(f" {note}" for note in notes)
        raise DataError(
            f"{origin}: there is no test split.{remarks} Set `split.test_fraction` to the share of each class to "
            "test on (`--set split.test_fraction=0.2`), or organise the images in `train` and `test`."
        )
