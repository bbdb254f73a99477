"""One Parquet file in the image layout of Hugging Face: its columns, its class names, its labels, its images."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from antisample.datasets.pixels import EncodedImage
from antisample.datasets.source import refuse_class_names
from antisample.errors import DataError
from antisample.types import IndexArray

UNLABELLED = -1
"""The label that the hub gives to rows without one."""

_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "labels", "fine_label")
_BATCH_ROWS = 1024
_DAMAGE = (pa.ArrowException, OSError, OverflowError)


@dataclass(frozen=True)
class ImageFile:
    """A Parquet file that has been opened, and has the columns that are needed.

    Attributes:
        path: The file.
        file: The open file.
        image: Name of the column of images.
        label: Name of the column of labels.
    """

    path: Path
    file: Any
    image: str
    label: str

    @classmethod
    def open(cls, path: Path) -> "ImageFile":
        """Opens a file and finds its image and its label column.

        Raises:
            DataError: If it is no Parquet file, or lacks a column.
        """
        try:
            file = pq.ParquetFile(path)
        except _DAMAGE as error:
            raise DataError(f"{path}: cannot be read as a Parquet file ({error}).") from error
        schema = file.schema_arrow
        image = next(
            (name for name in _IMAGE_COLUMNS if name in schema.names and _is_image(schema.field(name).type)), None
        )
        label = next(
            (
                name
                for name in _LABEL_COLUMNS
                if name in schema.names and pa.types.is_integer(schema.field(name).type)
            ),
            None,
        )
        if image is None or label is None:
            columns = ", ".join(f"{field.name}: {field.type}" for field in schema)
            raise DataError(
                f"{path}: must have an image column (struct<bytes: binary, path: string>) named `image` or `img` "
                f"and an integer label column named `label`, `labels` or `fine_label`, but got {columns}."
            )
        return cls(path, file, image, label)

    def class_names(self) -> tuple[str, ...] | None:
        """Reads the class names of the `huggingface` metadata.

        Returns:
            One name a class, numbers if there is only their count; None if the metadata do not tell the classes.

        Raises:
            DataError: If the metadata hold something else.
        """
        try:
            metadata = json.loads((self.file.schema_arrow.metadata or {}).get(b"huggingface", b"{}"))
        except ValueError as error:
            raise DataError(f"{self.path}: the `huggingface` metadata cannot be read ({error}).") from error
        features: Any = metadata
        for key in ("info", "features", self.label):
            features = {} if features is None else features
            if not isinstance(features, dict):
                raise DataError(
                    f"{self.path}: the `huggingface` metadata cannot be read (`{key}` must be in an object)."
                )
            features = features.get(key)
        if not isinstance(features, dict):
            if features is None:
                return None
            raise DataError(
                f"{self.path}: the `huggingface` metadata of `{self.label}` must be an object, but got {features!r}."
            )
        names, count = features.get("names"), features.get("num_classes")
        if names is not None and not isinstance(names, list):
            raise DataError(
                f"{self.path}: `names` of `{self.label}` must be a list of class names, but got {names!r}."
            )
        if count is not None and (type(count) is not int or count < 1):
            raise DataError(
                f"{self.path}: `num_classes` of `{self.label}` must be a number of at least 1, but got {count!r}."
            )
        if names and count is not None and count != len(names):
            raise DataError(
                f"{self.path}: `num_classes` of `{self.label}` must be the number of its `names`, {len(names)}, "
                f"but got {count}."
            )
        if not names:
            return None if count is None else tuple(map(str, range(count)))
        refuse_class_names(names, f"{self.path}, `names` of `{self.label}`")
        return tuple(names)

    def labels(self, names: tuple[str, ...] | None) -> IndexArray:
        """Reads the label of every row.

        Args:
            names: Of the classes, if they have any.

        Returns:
            int64, shape [rows]; `UNLABELLED` where the file says so or has null.

        Raises:
            DataError: If the file is damaged, or a label is that of no class.
        """
        try:
            column = self.file.read(columns=[self.label]).column(self.label)
            if pa.types.is_uint64(column.type) and (pc.max(column).as_py() or 0) >= 2**63:
                raise self.wrong_label(pc.index(column, pc.max(column)).as_py(), names)
            column = column.cast(pa.int64())
            labels: IndexArray = column.fill_null(UNLABELLED).to_numpy().astype(np.int64)
        except _DAMAGE as error:
            raise DataError(f"{self.path}: cannot be read as a Parquet file ({error}).") from error
        wrong = (labels < 0) & (labels != UNLABELLED)
        if names is not None:
            wrong |= labels >= len(names)
        if wrong.any():
            raise self.wrong_label(int(np.flatnonzero(wrong)[0]), names)
        return labels

    def cells(self, name: str) -> list[str | None] | None:
        """Reads a column of whole numbers or text.

        Returns:
            The value of every row as text, None where it is null; None if there is no such column.

        Raises:
            DataError: If the file is damaged, or the column holds something else.
        """
        if name not in self.file.schema_arrow.names:
            return None
        kind = self.file.schema_arrow.field(name).type
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_integer(plain) or pa.types.is_string(plain) or pa.types.is_large_string(plain)):
            raise DataError(
                f"{self.path}: a column of groups must hold whole numbers or text, but `{name}` holds {kind}."
            )
        try:
            column = self.file.read(columns=[name]).column(name)
            return list(column.cast(plain).cast(pa.large_string()).to_pylist())
        except _DAMAGE as error:
            raise DataError(f"{self.path}: cannot be read as a Parquet file ({error}).") from error

    def wrong_label(self, row: int, names: tuple[str, ...] | None, remark: str = "") -> DataError:
        """What to raise for a label that is that of no class."""
        label = self.file.read(columns=[self.label]).column(self.label)[row].as_py()
        highest = (2**63 if label is not None and label >= 2**63 else None) if names is None else len(names)
        upper = "" if highest is None else f" and less than {highest}"
        got = "null" if label is None else label
        return DataError(f"{self.path}, row {row}: a label must be at least 0{upper}, but got {got}{remark}.")

    def images(self, keep: npt.NDArray[np.bool_]) -> Iterator[list[EncodedImage]]:
        """Reads the images of some rows, one record batch after the other.

        Args:
            keep: Which rows, shape [rows].

        Raises:
            DataError: If the file is damaged, or an image is not in it.
        """
        row = 0
        try:
            for batch in self.file.iter_batches(_BATCH_ROWS, columns=[self.image]):
                cells = enumerate(batch[self.image].to_pylist(), row)
                yield [self._image(at, cell) for at, cell in cells if keep[at]]
                row += batch.num_rows
        except _DAMAGE as error:
            raise DataError(f"{self.path}: cannot be read as a Parquet file ({error}).") from error

    def _image(self, row: int, cell: dict[str, Any] | None) -> EncodedImage:
        content = None if cell is None else cell["bytes"]
        if not isinstance(content, bytes):
            raise DataError(f"{self.path}, row {row}: the bytes of an image must be in the file, but got null.")
        return EncodedImage(f"{self.path}, row {row}", content)


def _is_image(kind: Any) -> bool:
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        return False
    content = kind.field("bytes").type
    return bool(pa.types.is_binary(content) or pa.types.is_large_binary(content))
