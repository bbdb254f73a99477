"""What a user asks to be forgotten: classes by label or name, or single training images."""

import hashlib
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from antisample.data.class_names import as_written, class_labels, joined_names
from antisample.data.sample_ids import checked_sample_ids, read_sample_ids
from antisample.errors import ConfigError
from antisample.validation.settings import Settings, unusable

ClassNames = Annotated[tuple[str, ...], BeforeValidator(as_written)]
"""Class names or labels in a configuration, as they were written; see `as_written`."""


class ForgetRequest(Settings):
    """What to forget: whole classes, or single training images.

    Attributes:
        classes: Class names, taken literally, or labels; at least one, and at least one class must remain. A number
            is a name first, and a label only if no class name is a number; see `forget_classes`.
        samples: Positions in the training split, from 0, or files of an image folder, such as `cat/001.png`; or the
            path of a file with a list of them, see `read_sample_ids`.
    """

    classes: ClassNames = Field(default=(), min_length=1)
    samples: tuple[int | str, ...] = Field(default=(), min_length=1)

    @field_validator("samples", mode="before")
    @classmethod
    def _from_file(cls, samples: Any) -> Any:
        if isinstance(samples, str | Path):
            if (rule := unusable(str(samples))) is not None:
                raise ValueError(rule)
            if not samples:
                raise ValueError("must name a file, but got an empty text")
            return read_sample_ids(Path(samples))
        return checked_sample_ids(samples)

    @field_validator("samples")
    @classmethod
    def _each_once(cls, samples: tuple[int | str, ...]) -> tuple[int | str, ...]:
        return tuple(sorted(set(samples), key=lambda sample: (isinstance(sample, str), sample)))

    @model_validator(mode="after")
    def _one_kind(self) -> "ForgetRequest":
        if bool(self.classes) == bool(self.samples):
            got = "both" if self.classes else "neither"
            raise ValueError(f"must name either `classes` or `samples`, but got {got}")
        return self

    @model_serializer(mode="wrap")
    def _as_it_was_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value}

    def describe(self) -> str:
        """The classes as `--forget` takes them, commas between; or how many samples, and a digest of them."""
        if self.samples:
            digest = hashlib.blake2b(repr(self.samples).encode(), digest_size=4).hexdigest()
            return f"{len(self.samples)} samples ({digest})"
        return joined_names(self.classes)


def forget_classes(
    request: ForgetRequest, class_names: tuple[str, ...], key: str = "forget.classes"
) -> tuple[int, ...]:
    """Turns the classes of a request into labels.

    Args:
        request: Names as they are written, or labels.
        class_names: Names of the data set's classes.
        key: What the classes were given as, for messages.

    Returns:
        Distinct labels, ascending.

    Raises:
        ConfigError: If a class does not exist, or all classes are to be forgotten.
    """
    labels = class_labels(request.classes, class_names, key)
    if len(labels) == len(class_names):
        raise ConfigError(f"`{key}` must leave at least one class, but got all {len(labels)}.")
    return labels
