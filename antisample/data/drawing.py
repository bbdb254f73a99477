"""Setting images apart, class by class."""

from typing import Any, Literal

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from antisample.errors import ConfigError
from antisample.seeds import numpy_stream
from antisample.types import Dataset, IndexArray, SplitName
from antisample.validation.settings import Settings


class SplitConfig(Settings):
    """How validation images are set apart, and test images where the data has none.

    Attributes:
        seed: Seed of the stratified draw.
        validation_from: `train` holds validation images out of the training split. `test` takes them from the test
            split, for original models that have seen every training image; test metrics then use the remaining
            test images. `validation` uses the data's own validation split, which the other two ignore. `auto` means
            `validation` if the data has such a split, else `test` if a checkpoint is given, else `train`.
        validation_fraction: Fraction of each class to hold out from train or test, in (0, 1). By default 0.2 of train
            or 0.5 of test.
        test_fraction: For data without a test split, the fraction of each class to draw for testing, in (0, 1).
    """

    seed: int = Field(default=0, ge=0)
    validation_from: Literal["auto", "train", "test", "validation"] = "auto"
    validation_fraction: float | None = Field(default=None, gt=0, lt=1)
    test_fraction: float | None = Field(default=None, gt=0, lt=1)

    @model_serializer(mode="wrap")
    def _as_studies_hold_it(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves `test_fraction` out where it is not given: results are found by a digest of the configuration."""
        return {name: value for name, value in handler(self).items() if name != "test_fraction" or value is not None}


def source_of_validation(dataset: Dataset, config: SplitConfig, has_checkpoint: bool) -> SplitName:
    """Which split validation images come from.

    Raises:
        ConfigError: If the data has no validation split, or has one of which no share can be set apart.
    """
    source: SplitName
    if config.validation_from != "auto":
        source = config.validation_from
    elif dataset.validation is not None:
        source = "validation"
    else:
        source = "test" if has_checkpoint else "train"
    if source == "validation" and dataset.validation is None:
        raise ConfigError(
            f"`split.validation_from` must be train or test for {dataset.name}, which has no validation split beside "
            "the test split, but got 'validation'."
        )
    if source == "validation" and config.validation_fraction is not None:
        raise ConfigError(
            f"`split.validation_fraction` {config.validation_fraction} cannot be used, because {dataset.name} "
            "has a validation split of its own; leave it out, or set `split.validation_from` to train or test."
        )
    return source


def set_apart(
    dataset: Dataset, source: SplitName, config: SplitConfig, gone: IndexArray
) -> tuple[IndexArray, IndexArray]:
    """Draws validation images from a split, and says what is left of it; `gone` classes may have no images."""
    fraction = config.validation_fraction or (0.5 if source == "test" else 0.2)
    labels = dataset.split(source).labels
    validation = stratified_subset(labels, fraction, numpy_stream(config.seed, "validation"))
    left = np.setdiff1d(np.arange(len(labels)), validation)
    empty = [
        dataset.class_names[c]
        for c in range(dataset.n_classes)
        if c not in gone and not ((labels[left] == c).any() and (labels[validation] == c).any())
    ]
    if empty:
        raise ConfigError(
            f"`split.validation_fraction` {fraction} of the {source} split leaves no image on one side for class "
            f"{', '.join(empty[:5])}."
        )
    return validation, left


def stratified_subset(labels: IndexArray, fraction: float, rng: np.random.Generator) -> IndexArray:
    """Draws a share of each class; a smaller share from the same generator state is a subset of a larger one.

    Args:
        labels: int64, shape [n].
        fraction: Share of each class, in (0, 1]; at least one image a class is drawn.
        rng: Source of the draw.

    Returns:
        Positions, int64, ascending.
    """
    drawn = [
        rng.permutation(np.flatnonzero(labels == label))[: max(1, round(fraction * int((labels == label).sum())))]
        for label in np.unique(labels)
    ]
    return np.sort(np.concatenate(drawn))
