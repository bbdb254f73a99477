"""What a model has forgotten before: the requests of its chain, oldest first, as a later unlearning needs them."""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from antisample.data.class_names import joined_names
from antisample.data.drawing import SplitConfig
from antisample.data.image_digests import image_digest
from antisample.errors import ConfigError
from antisample.types import Dataset, EarlierImages, ImageSet, IndexArray, SplitName
from antisample.validation.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
_UNSEEN: tuple[SplitName, ...] = ("validation", "test")
FileDigest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class EarlierRequest(Settings):
    """A request that was carried out before.

    Attributes:
        card: SHA-256 of its card.json.
        model: Digest of the weights that it led to.
        in_words: The request as it was made.
        classes: Names of the classes that were forgotten; of samples, of the classes that they belong to.
        samples: Digests of the images, where single images or groups were forgotten; see `image_digest`.
        by_samples: Whether single images were forgotten, and their classes kept.
        most_accuracy: The upper 95 % limit of its own forget accuracy, by part: what it may not rise above.
        most_probe: Likewise of what a probe with few labels recognised, where that was measured.
    """

    card: FileDigest
    model: Digest
    in_words: str
    classes: tuple[str, ...] = Field(min_length=1)
    samples: tuple[Digest, ...] = ()
    by_samples: bool = False
    most_accuracy: dict[SplitName, Share]
    most_probe: Share | None = None

    @model_validator(mode="after")
    def _recognisable(self) -> "EarlierRequest":
        if bool(self.samples) != self.by_samples:
            raise ValueError("must have `samples` if and only if `by_samples` is true")
        return self


class EarlierRequests(Settings):
    """All requests that a model has carried out, and what has to fit together with them.

    Attributes:
        card: File of the latest card, as it was named.
        requests: Oldest first.
        class_names: Names of the model's outputs, in their order; the data may lack those that were forgotten.
        data: Digest of the data that the latest request was carried out on, classes in this order.
        split: How validation images were set apart there.
        validation_from: Which split they came from.
    """

    card: Path
    requests: tuple[EarlierRequest, ...] = Field(min_length=1)
    class_names: tuple[str, ...] = Field(min_length=2)
    data: Digest
    split: SplitConfig
    validation_from: SplitName

    @property
    def forgotten(self) -> tuple[str, ...]:
        """Names of the classes that were forgotten as a whole, in the model's order."""
        names = {name for request in self.requests if not request.by_samples for name in request.classes}
        return tuple(name for name in self.class_names if name in names)

    def with_model_labels(self, dataset: Dataset) -> Dataset:
        """The data with the model's labels: classes are matched by name, and forgotten ones may be missing.

        Args:
            dataset: With labels of its own.

        Returns:
            The data with the model's class names; the same object if nothing has to change.

        Raises:
            ConfigError: If it has classes that the model has not, or lacks some that it has not forgotten.
        """
        names = {_plain(name): label for label, name in enumerate(self.class_names)}
        given = [_plain(name) for name in dataset.class_names]
        unknown = [name for name in dataset.class_names if _plain(name) not in names]
        lacking = [name for name in self.class_names if _plain(name) not in given and name not in self.forgotten]
        if unknown or lacking:
            which = f"has {_some(unknown)}, which the model does not" if unknown else f"lacks {_some(lacking)}"
            raise ConfigError(
                f"`after` must name a card of a model of these classes, but the model of {self.card} answers with "
                f"{_some(self.class_names)}, and {dataset.name} {which}."
            )
        labels = np.array([names[name] for name in given])
        if len(labels) == len(self.class_names) and (labels == np.arange(len(labels))).all():
            return dataset

        def moved(images: ImageSet) -> ImageSet:
            return ImageSet(images.images, labels[images.labels].astype(np.int64))

        content = repr((dataset.fingerprint, self.class_names)).encode()
        return replace(
            dataset,
            train=moved(dataset.train),
            test=moved(dataset.test),
            validation=None if dataset.validation is None else moved(dataset.validation),
            class_names=self.class_names,
            fingerprint=hashlib.blake2b(content, digest_size=16).hexdigest(),
        )

    def images(self, dataset: Dataset) -> tuple[EarlierImages, ...]:
        """What each request means on the data; samples are recognised by their pixels, wherever they stand now.

        Args:
            dataset: With the model's labels.
        """
        return tuple(
            EarlierImages(
                classes=() if request.by_samples else self._labels(request),
                samples=_samples(dataset.train, request.samples, self._labels(request)),
                most_accuracy=request.most_accuracy,
                most_probe=request.most_probe,
                in_words=request.in_words,
                unseen={
                    part: _samples(dataset.split(part), request.samples)
                    for part in _UNSEEN
                    if request.by_samples and (part == "test" or dataset.validation is not None)
                },
            )
            for request in self.requests
        )

    def _labels(self, request: EarlierRequest) -> tuple[int, ...]:
        return tuple(label for label, name in enumerate(self.class_names) if name in request.classes)

    def split_of(self, dataset: Dataset, config: SplitConfig) -> SplitConfig:
        """How validation images are set apart now.

        With the same data they are those that no request has seen. With other data the draw would be another one, so
        `auto` takes them from the test split, as for a checkpoint.

        Args:
            dataset: With the model's labels.
            config: As the user wrote it.
        """
        same = (config.seed, config.validation_fraction) == (self.split.seed, self.split.validation_fraction)
        if config.validation_from != "auto" or dataset.fingerprint != self.data or not same:
            return config
        return config.model_copy(update={"validation_from": self.validation_from})


def _samples(images: ImageSet, digests: tuple[str, ...], labels: tuple[int, ...] | None = None) -> IndexArray:
    """Positions of the images with these digests, ascending; only of classes, where it is known which."""
    wanted = set(digests)
    near = np.arange(len(images)) if labels is None else np.flatnonzero(np.isin(images.labels, labels))
    return np.array([place for place in near if wanted and image_digest(images, int(place)) in wanted], np.int64)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _some(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return joined_names(names[:most]) + more
