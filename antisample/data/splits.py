"""From a forget request and a seed to the images that may be trained on, selected on and judged on."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from antisample.data.forget_request import ForgetRequest, forget_classes
from antisample.errors import ConfigError
from antisample.seeds import numpy_stream
from antisample.types import Dataset, EarlierImages, IndexArray, SplitName, Splits
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


def make_splits(
    dataset: Dataset,
    request: ForgetRequest,
    config: SplitConfig,
    *,
    has_checkpoint: bool,
    earlier: Sequence[EarlierImages] = (),
    unseen: Mapping[SplitName, IndexArray] | None = None,
) -> Splits:
    """Draws the validation images and sorts the training images into forget and retain.

    The draw depends on the data and `config` alone, so every forget request shares one original model. Samples to
    forget that were drawn for validation have never been seen by the model; they are then used for nothing.

    Args:
        dataset: The data.
        request: What to forget; samples by position.
        config: How to draw.
        has_checkpoint: Whether the original model comes from outside and may have seen every training image.
        earlier: What the model has forgotten before; images of it are in no split, seen or not.
        unseen: Positions of images of the request outside the training split, by split; like samples that were drawn
            for validation, they are used for nothing.

    Returns:
        The splits, positions ascending.

    Raises:
        ConfigError: If the request or `config` does not fit the data, or a class is too small to be split.
    """
    classes = _classes_of(request, dataset)
    gone = np.array(sorted({label for each in earlier for label in each.classes}), np.int64)
    gone_samples = np.concatenate([np.zeros(0, np.int64), *(each.samples for each in earlier)])
    _check_not_forgotten(request, dataset, classes, earlier)
    source = _source_of_validation(dataset, config, has_checkpoint)
    if source == "validation":
        validation, left = np.arange(len(dataset.split(source))), np.arange(0)
    else:
        validation, left = _set_apart(dataset, source, config, gone)
    train = left if source == "train" else np.arange(len(dataset.train))
    test = left if source == "test" else np.arange(len(dataset.test))
    train, earlier_train = _without_classes(dataset.train.labels, train, gone)
    validation, earlier_validation = _without_classes(dataset.split(source).labels, validation, gone)
    test, earlier_test = _without_classes(dataset.test.labels, test, gone)
    train = np.setdiff1d(train, gone_samples)
    if source == "train":
        validation = np.setdiff1d(validation, gone_samples)
    for each in earlier:
        validation = np.setdiff1d(validation, each.unseen.get(source, []))
        test = np.setdiff1d(test, each.unseen.get("test", []))
    if source == "validation":
        _check_measurable(dataset, classes, source, validation, by_samples=bool(request.samples))
    if request.samples:
        asked = np.array(request.samples)
        to_forget = np.isin(train, asked)
        unseen = {"train": asked, **(unseen or {})}
        held_out = len(validation) + len(test)
        validation = np.setdiff1d(validation, unseen.get(source, []))
        test = np.setdiff1d(test, unseen.get("test", []))
        never_seen = held_out - len(validation) - len(test)
        if not to_forget.any():
            raise ConfigError(
                "`forget` must name images that the model was trained on, but all of them are held out as validation "
                "images."
            )
    else:
        to_forget, never_seen = np.isin(dataset.train.labels[train], classes), 0
    forget, retain = train[to_forget], train[~to_forget]
    splits = Splits(
        forget_classes=classes,
        forget=forget,
        retain=retain,
        validation=validation,
        validation_from=source,
        test=test,
        fingerprint="",
        by_samples=bool(request.samples),
        never_seen=never_seen,
        earlier=tuple(earlier),
        earlier_train=earlier_train,
        earlier_validation=earlier_validation,
        earlier_test=earlier_test,
    )
    check_leftover(dataset, splits)
    return replace(splits, fingerprint=splits_digest(dataset, splits))


def splits_digest(dataset: Dataset, splits: Splits) -> str:
    """The fingerprint of splits."""
    parts = (splits.forget, splits.retain, splits.validation, splits.test)
    kind: tuple[Any, ...] = ("samples",) if splits.by_samples else ()
    if splits.earlier:
        samples = np.concatenate([each.samples for each in splits.earlier])
        kind += ("earlier", np.array(splits.earlier_classes, np.int64), samples)
    return _digest(dataset.fingerprint, splits.validation_from, splits.forget_classes, *parts, *kind)


def check_leftover(dataset: Dataset, splits: Splits) -> None:
    """Checks that there is something to retain, and something to measure.

    Raises:
        ConfigError: If nothing is left of a class or a part.
    """
    if splits.by_samples and not len(splits.validation):
        raise ConfigError("`forget` must leave validation images, but got all of them.")
    _check_retained(dataset, splits)
    _check_measurable(dataset, splits.forget_classes, "test", splits.test, by_samples=splits.by_samples)


def _without_classes(labels: IndexArray, positions: IndexArray, classes: IndexArray) -> tuple[IndexArray, IndexArray]:
    """Positions of images of other classes, and of images of these."""
    of_these = np.isin(labels[positions], classes)
    return positions[~of_these], positions[of_these]


def _check_not_forgotten(
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


def _source_of_validation(dataset: Dataset, config: SplitConfig, has_checkpoint: bool) -> SplitName:
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


def _set_apart(
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


def _classes_of(request: ForgetRequest, dataset: Dataset) -> tuple[int, ...]:
    """The classes to forget, or those of the samples to forget."""
    if not request.samples:
        return forget_classes(request, dataset.class_names)
    wrong = [sample for sample in request.samples if isinstance(sample, str) or sample >= len(dataset.train)]
    if wrong:
        raise ConfigError(
            f"`forget.samples` must be positions in the training split, from 0 to {len(dataset.train) - 1}, "
            f"but got {wrong[0]!r}."
        )
    return tuple(int(label) for label in np.unique(dataset.train.labels[np.array(request.samples)]))


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


def _check_measurable(
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


def _digest(*parts: str | tuple[int, ...] | IndexArray) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        content = part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode()
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()
