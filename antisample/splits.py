"""From a forget request and a seed to the images that may be trained on, selected on and judged on."""

import hashlib
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from antisample.errors import ConfigError
from antisample.seeds import numpy_stream
from antisample.types import Dataset, IndexArray, Splits


class ForgetRequest(BaseModel):
    """What to forget.

    Attributes:
        classes: Labels or class names, at least one; at least one class must be left.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: tuple[int | str, ...] = Field(min_length=1)

    def in_words(self) -> str:
        """The classes as they were named, with commas between."""
        return ",".join(map(str, self.classes))


class SplitConfig(BaseModel):
    """How validation images are set apart.

    Attributes:
        seed: Seed of the stratified draw.
        validation_from: `train` holds validation images out of the training of the original model. `test` takes
            them from the test split, for original models that saw every training image; test figures then come
            from the rest. `auto` means `test` if a checkpoint is given, else `train`.
        validation_fraction: Share of each class to set apart, in (0, 1). By default 0.2 of train or 0.5 of test.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=0, ge=0)
    validation_from: Literal["auto", "train", "test"] = "auto"
    validation_fraction: float | None = Field(default=None, gt=0, lt=1)


def forget_classes(request: ForgetRequest, class_names: tuple[str, ...]) -> tuple[int, ...]:
    """Turns labels and class names into ascending labels.

    Args:
        request: Labels or names; a name that reads as a number counts as a name first.
        class_names: Names of the data set's classes.

    Returns:
        Distinct labels, ascending.

    Raises:
        ConfigError: If a class does not exist, or all classes are to be forgotten.
    """
    labels, problems = set(), []
    for wanted in request.classes:
        if str(wanted) in class_names:
            labels.add(class_names.index(str(wanted)))
        elif str(wanted).isdecimal() and int(wanted) < len(class_names):
            labels.add(int(wanted))
        else:
            shown = ", ".join(class_names[:12]) + (", ..." if len(class_names) > 12 else "")
            problems.append(
                f"`forget.classes` must be labels from 0 to {len(class_names) - 1} or names of {shown}, "
                f"but got {wanted!r}."
            )
    if not problems and len(labels) == len(class_names):
        problems.append(f"`forget.classes` must leave at least one class, but got all {len(labels)}.")
    if problems:
        raise ConfigError(problems)
    return tuple(sorted(labels))


def make_splits(dataset: Dataset, request: ForgetRequest, config: SplitConfig, *, has_checkpoint: bool) -> Splits:
    """Draws the validation images and sorts the training images into forget and retain.

    The draw depends on the data and `config` alone, so every forget request shares one original model.

    Args:
        dataset: The data.
        request: What to forget.
        config: How to draw.
        has_checkpoint: Whether the original model comes from outside and may have seen every training image.

    Returns:
        The splits, positions ascending.

    Raises:
        ConfigError: If the request does not fit the data, or a class is too small to be split.
    """
    classes = forget_classes(request, dataset.class_names)
    source: Literal["train", "test"] = (
        ("test" if has_checkpoint else "train") if config.validation_from == "auto" else config.validation_from
    )
    fraction = config.validation_fraction or (0.5 if source == "test" else 0.2)
    labels = dataset.train.labels if source == "train" else dataset.test.labels
    validation = stratified_subset(labels, fraction, numpy_stream(config.seed, "validation"))
    left = np.setdiff1d(np.arange(len(labels)), validation)
    empty = [
        dataset.class_names[c]
        for c in range(dataset.n_classes)
        if not ((labels[left] == c).any() and (labels[validation] == c).any())
    ]
    if empty:
        raise ConfigError(
            f"`split.validation_fraction` {fraction} of the {source} split leaves no image on one side for class "
            f"{', '.join(empty[:5])}."
        )
    train = left if source == "train" else np.arange(len(dataset.train))
    test = left if source == "test" else np.arange(len(dataset.test))
    to_forget = np.isin(dataset.train.labels[train], classes)
    forget, retain = train[to_forget], train[~to_forget]
    return Splits(
        forget_classes=classes,
        forget=forget,
        retain=retain,
        validation=validation,
        validation_from=source,
        test=test,
        fingerprint=_digest(dataset.fingerprint, source, classes, forget, retain, validation, test),
    )


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


def _digest(*parts: str | tuple[int, ...] | npt.NDArray[np.int64]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        content = part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode()
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()
