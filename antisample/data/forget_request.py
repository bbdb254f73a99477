"""What a user asks to be forgotten: classes by label or name, single training images, or all images of a group."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from antisample.data.class_names import as_written, class_labels, joined_names
from antisample.data.group_values import checked_values
from antisample.data.sample_ids import checked_sample_ids, read_sample_ids
from antisample.errors import ConfigError
from antisample.validation.settings import Settings, unusable

ClassNames = Annotated[tuple[str, ...], BeforeValidator(as_written)]
"""Class names or labels in a configuration, as they were written; see `as_written`."""

GroupValues = Annotated[tuple[str, ...], BeforeValidator(checked_values)]
"""Values of a column, as text; see `checked_values`."""

Duplicates = Literal["report", "forget", "refuse"]
"""What to do about copies of images to forget."""


class ForgetRequest(Settings):
    """What to forget: whole classes, single training images, or all images of a group, such as a person.

    Attributes:
        classes: Class names, taken literally, or labels; at least one, and at least one class must remain. A number
            is a name first, and a label only if no class name is a number; see `forget_classes`.
        samples: Positions in the training split, from 0, or files of an image folder, such as `cat/001.png`; or the
            path of a file with a list of them, see `read_sample_ids`.
        column: A column of Parquet files, or of the file `groups.csv` in an image folder, that says which group an
            image belongs to; see `group_images`.
        value: The value, or values, that the images to forget have in this column, whatever their class.
        duplicates: What to do about exact and near copies of the images to forget that would be retained, or measured
            as unseen images: `report` says how many there are, `forget` forgets them too, and `refuse` is an error.
    """

    classes: ClassNames = Field(default=(), min_length=1)
    samples: tuple[int | str, ...] = Field(default=(), min_length=1)
    column: str | None = Field(default=None, min_length=1)
    value: GroupValues = ()
    duplicates: Duplicates = "report"

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
        kinds = [name for name in ("classes", "samples", "column") if getattr(self, name)]
        if self.value and self.column is None:
            raise ValueError("must name the `column` that holds `value`, but got `value` alone")
        if self.column is not None and not self.value:
            raise ValueError(f"must give the `value` to look for in the column {self.column!r}, but got none")
        if len(kinds) != 1:
            got = " and ".join(f"`{name}`" for name in kinds) or "none of them"
            raise ValueError(f"must name either `classes`, `samples`, or a `column` and its `value`, but got {got}")
        return self

    @property
    def by_samples(self) -> bool:
        """Whether single images are to be forgotten, and their classes kept."""
        return not self.classes

    @model_serializer(mode="wrap")
    def _as_it_was_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        given = {name: value for name, value in handler(self).items() if value}
        return {name: value for name, value in given.items() if (name, value) != ("duplicates", "report")}

    def describe(self) -> str:
        """The classes as `--forget` takes them, samples by number and digest, or column and values."""
        if self.column is not None:
            return f"{self.column} = {joined_names(self.value)}"
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
