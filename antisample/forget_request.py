"""What a user asks to be forgotten: classes by label or name, or single training images."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from antisample.errors import ConfigError
from antisample.sample_ids import read_sample_ids


class ForgetRequest(BaseModel):
    """What to forget: whole classes, or single training images.

    Attributes:
        classes: Labels or class names, at least one; at least one class must be left.
        samples: Positions in the training split, from 0, or files of an image folder, such as `cat/001.png`; or the
            path of a list of them, which is read at once, see `read_sample_ids`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: tuple[int | str, ...] = Field(default=(), min_length=1)
    samples: tuple[int | str, ...] = Field(default=(), min_length=1)

    @field_validator("samples", mode="before")
    @classmethod
    def _from_file(cls, samples: Any) -> Any:
        if isinstance(samples, str | Path):
            return read_sample_ids(Path(samples))
        return samples.tolist() if isinstance(samples, np.ndarray) else samples

    @field_validator("samples")
    @classmethod
    def _each_once(cls, samples: tuple[int | str, ...]) -> tuple[int | str, ...]:
        below = [sample for sample in samples if isinstance(sample, int) and sample < 0]
        if below:
            raise ValueError(f"must be positions of at least 0 or files, but got {below[0]}")
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

    def in_words(self) -> str:
        """The classes as they were named, with commas between; or how many samples, and a digest of them."""
        if self.samples:
            digest = hashlib.blake2b(repr(self.samples).encode(), digest_size=4).hexdigest()
            return f"{len(self.samples)} samples ({digest})"
        return ",".join(map(str, self.classes))


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
