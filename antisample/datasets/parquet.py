"""Parquet files in the image layout of Hugging Face."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from antisample.datasets.pixels import EncodedImage, PixelArray, decode_images, stack_splits
from antisample.datasets.source import DecodedData, file_identity
from antisample.errors import DataError
from antisample.types import ImageSet, IndexArray

_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "labels", "fine_label")
_BATCH_ROWS = 1024


@dataclass(frozen=True)
class ParquetFolder:
    """Files `train*.parquet` and `test*.parquet` in a folder, or in its sub-folder `data`.

    Images stand in a column `image` or `img`, struct<bytes: binary, path: string>; labels in an integer
    column `label`, `labels` or `fine_label`. Class names come from the `huggingface` metadata of the schema;
    without it, classes are named by their number.

    Attributes:
        root: The folder.
    """

    root: Path

    def identity(self) -> Sequence[str]:
        """Lists the files.

        Returns:
            Path, size and time of change of every file.

        Raises:
            DataError: If there are no files for a split.
        """
        return ["parquet", *file_identity(self.root, (*self._files("train"), *self._files("test")))]

    def decode(self, image_size: int | None) -> DecodedData:
        """Decodes all images, one record batch after the other; see `DatasetSource.decode`."""
        files = {split: self._files(split) for split in ("train", "test")}
        names = self._class_names([*files["train"], *files["test"]])
        splits = [_read_split(files[split], image_size, names) for split in ("train", "test")]
        train, test = stack_splits(splits[0][0], splits[1][0], str(self.root))
        if names is None:
            highest = max(int(labels.max()) for _, labels in splits)
            if highest >= len(train):
                raise DataError(
                    f"{self.root}: every class must have a training image, but got label {highest} "
                    f"and {len(train)} training images."
                )
            names = tuple(str(label) for label in range(highest + 1))
        return DecodedData(ImageSet(train, splits[0][1]), ImageSet(test, splits[1][1]), names)

    def _files(self, split: str) -> list[Path]:
        files = parquet_files(self.root)
        found = [path for path in files if path.name.startswith(split)]
        if not found:
            raise DataError(
                f"{self.root}: must hold Parquet files whose names start with `{split}`, "
                f"but got {[path.name for path in files]}."
            )
        return found

    def _class_names(self, files: Sequence[Path]) -> tuple[str, ...] | None:
        by_file = {path: _names_in_schema(path) for path in files}
        first = by_file[files[0]]
        for path, names in by_file.items():
            if names != first:
                raise DataError(f"{path}: class names must be those of {files[0].name}, {first}, but got {names}.")
        return first


def parquet_files(root: Path) -> list[Path]:
    """Lists the Parquet files of a folder and of its sub-folder `data`, by path; hidden files are ignored."""
    found = (path for folder in (root, root / "data") for path in folder.glob("*.parquet"))
    return sorted(path for path in found if not path.name.startswith("."))


def _open(path: Path) -> tuple[Any, str, str]:
    """Opens a file and finds its image and its label column."""
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as a Parquet file ({error}).") from error
    schema = file.schema_arrow
    image = next(
        (name for name in _IMAGE_COLUMNS if name in schema.names and _is_image(schema.field(name).type)), None
    )
    label = next(
        (name for name in _LABEL_COLUMNS if name in schema.names and pa.types.is_integer(schema.field(name).type)),
        None,
    )
    if image is None or label is None:
        found = ", ".join(f"{field.name}: {field.type}" for field in schema)
        raise DataError(
            f"{path}: must have an image column (struct<bytes: binary, path: string>) named `image` or `img` "
            f"and an integer label column named `label`, `labels` or `fine_label`, but got {found}."
        )
    return file, image, label


def _is_image(kind: Any) -> bool:
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        return False
    content = kind.field("bytes").type
    return bool(pa.types.is_binary(content) or pa.types.is_large_binary(content))


def _names_in_schema(path: Path) -> tuple[str, ...] | None:
    file, _, label = _open(path)
    try:
        metadata = json.loads((file.schema_arrow.metadata or {}).get(b"huggingface", b"{}"))
        names = metadata.get("info", {}).get("features", {}).get(label, {}).get("names")
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path}: the `huggingface` metadata cannot be read ({error}).") from error
    return None if not names else tuple(str(name) for name in names)


def _read_split(
    files: Sequence[Path], image_size: int | None, names: tuple[str, ...] | None
) -> tuple[list[PixelArray], IndexArray]:
    arrays: list[PixelArray] = []
    labels: list[int] = []
    for path in files:
        file, image_column, label_column = _open(path)
        first = len(labels)
        try:
            for batch in file.iter_batches(_BATCH_ROWS, columns=[image_column, label_column]):
                cells = zip(batch[image_column].to_pylist(), batch[label_column].to_pylist(), strict=True)
                encoded = []
                for cell, label in cells:
                    origin = f"{path}, row {len(labels) - first}"
                    encoded.append(EncodedImage(origin, _image_bytes(origin, cell)))
                    labels.append(_checked_label(origin, label, names))
                arrays += decode_images(encoded, image_size)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: cannot be read as a Parquet file ({error}).") from error
    if not labels:
        raise DataError(f"{files[0]}: every split must hold at least 1 image, but got 0.")
    return arrays, np.array(labels, np.int64)


def _image_bytes(origin: str, cell: dict[str, Any] | None) -> bytes:
    content = None if cell is None else cell["bytes"]
    if not isinstance(content, bytes):
        raise DataError(f"{origin}: the bytes of an image must be in the file, but got null.")
    return content


def _checked_label(origin: str, label: int | None, names: tuple[str, ...] | None) -> int:
    if label is None or label < 0 or (names is not None and label >= len(names)):
        upper = "" if names is None else f" and less than {len(names)}"
        got = "null" if label is None else label
        raise DataError(f"{origin}: a label must be at least 0{upper}, but got {got}.")
    return label
