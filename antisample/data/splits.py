"""From a forget request and a seed to the images that may be trained on, selected on and judged on."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from antisample.data.drawing import SplitConfig, set_apart, source_of_validation
from antisample.data.forget_request import ForgetRequest, forget_classes
from antisample.data.split_checks import check_leftover, check_measurable, check_not_forgotten
from antisample.errors import ConfigError
from antisample.types import Dataset, EarlierImages, IndexArray, SplitName, Splits


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
    check_not_forgotten(request, dataset, classes, earlier)
    source = source_of_validation(dataset, config, has_checkpoint)
    if source == "validation":
        validation, left = np.arange(len(dataset.split(source))), np.arange(0)
    else:
        validation, left = set_apart(dataset, source, config, gone)
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
        check_measurable(dataset, classes, source, validation, by_samples=bool(request.samples))
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


def _without_classes(labels: IndexArray, positions: IndexArray, classes: IndexArray) -> tuple[IndexArray, IndexArray]:
    """Positions of images of other classes, and of images of these."""
    of_these = np.isin(labels[positions], classes)
    return positions[~of_these], positions[of_these]


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


def _digest(*parts: str | tuple[int, ...] | IndexArray) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        content = part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode()
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()
