"""Decoded data sets as Arrow files that later runs map into memory instead of decoding again."""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from antisample.datasets.source import DecodedData
from antisample.storage.atomic import atomic_write
from antisample.storage.cache import Cache
from antisample.types import ImageSet, SplitName

_logger = logging.getLogger(__name__)

FORMAT_VERSION = 2
_METADATA_KEY = b"antisample"
_SPLITS_ONCE = ("train", "test")  # of files that do not say which splits there are
_DAMAGE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, IndexError)


def fingerprint(data: DecodedData) -> str:
    """Digests what a data set holds, whatever files it came from.

    Args:
        data: The decoded data set.

    Returns:
        Hexadecimal digest of class names and of shape, pixels and labels of every split.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps(data.class_names).encode())
    for split in data.splits().values():
        digest.update(json.dumps(split.images.shape).encode())
        digest.update(np.ascontiguousarray(split.images).data)
        digest.update(np.ascontiguousarray(split.labels, dtype="<i8").data)
    return digest.hexdigest()


def cache_key(identity: Sequence[str], image_size: int | None) -> str:
    """Names the cache of a source.

    Args:
        identity: What the source says of itself, `DatasetSource.identity`.
        image_size: The size its images are resized to.

    Returns:
        Hexadecimal digest of both and of the format version.
    """
    content = json.dumps([FORMAT_VERSION, list(identity), image_size])
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def write_cache(cache: Cache, key: str, data: DecodedData) -> None:
    """Stores a data set: one file a split, each put in place in one step.

    Args:
        cache: Where the files go.
        key: From `cache_key`.
        data: The decoded data set.

    Raises:
        DataError: If the folder cannot be written to.
    """
    splits = data.splits()
    about = {
        "class_names": list(data.class_names),
        "fingerprint": fingerprint(data),
        "splits": list(splits),
        "notes": list(data.notes),
    }
    for split, images in splits.items():
        path = _path(cache, key, split)
        _write_split(path, images, about)
        cache.share(path)


def read_cache(cache: Cache, key: str) -> tuple[DecodedData, str] | None:
    """Maps a stored data set into memory; no pixel is copied.

    Everything is checked against a stored digest, once a run and not once a trial: about a gigabyte a second.

    Args:
        cache: Where the files are.
        key: From `cache_key`.

    Returns:
        The data set, its arrays read-only, and its fingerprint; None if there is none, or, with a warning, if
        a file is damaged.

    Raises:
        StorageError: If the cache is an object store and cannot be asked.
    """
    first = _path(cache, key, "train")
    cache.fetch(first)
    if not first.is_file():
        return None
    try:
        header, train = _read_split(first)
        others: dict[SplitName, ImageSet] = {}
        for split in header.get("splits", _SPLITS_ONCE)[1:]:
            path = _path(cache, key, split)
            cache.fetch(path)
            if not path.is_file():
                return None
            other, others[split] = _read_split(path)
            if other["fingerprint"] != header["fingerprint"]:
                raise ValueError("the splits have different fingerprints")
        data = DecodedData(
            train,
            others.get("test"),
            tuple(header["class_names"]),
            others.get("validation"),
            tuple(header.get("notes", ())),
        )
    except _DAMAGE as error:
        _logger.warning("The cache %s-*.arrow is damaged and will be rebuilt: %s", cache.folder / key, error)
        return None
    return data, str(header["fingerprint"])


def _path(cache: Cache, key: str, split: str) -> Path:
    return cache.folder / f"{key}-{split}.arrow"


def _write_split(path: Path, images: ImageSet, about: dict[str, Any]) -> None:
    pixels = np.ascontiguousarray(images.images)
    labels = np.ascontiguousarray(images.labels, dtype=np.int64)
    header = {"format": FORMAT_VERSION, "shape": list(pixels.shape), **about}
    header["check"] = _check_digest(header, ImageSet(pixels, labels))
    kind = pa.binary(pixels[0].size)
    schema = pa.schema(
        [pa.field("image", kind, nullable=False), pa.field("label", pa.int64(), nullable=False)],
        metadata={_METADATA_KEY: json.dumps(header).encode()},
    )
    columns = [
        pa.Array.from_buffers(kind, len(pixels), [None, pa.py_buffer(pixels)]),
        pa.Array.from_buffers(pa.int64(), len(labels), [None, pa.py_buffer(labels)]),
    ]
    with atomic_write(path) as unfinished, unfinished.open("xb") as file:
        with pa.ipc.new_file(file, schema) as writer:
            writer.write_batch(pa.record_batch(columns, schema=schema))
        file.flush()
        os.fsync(file.fileno())


def _read_split(path: Path) -> tuple[dict[str, Any], ImageSet]:
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    header = json.loads(reader.schema.metadata[_METADATA_KEY])
    shape = tuple(header["shape"])
    if reader.num_record_batches != 1:
        raise ValueError(f"{path.name} holds {reader.num_record_batches} record batches, not 1")
    batch = reader.get_batch(0)
    if batch.num_rows != shape[0] or batch.schema.types != [pa.binary(int(np.prod(shape[1:]))), pa.int64()]:
        raise ValueError(f"{path.name} holds {batch.num_rows} rows of {batch.schema.types}, not {list(shape)}")
    pixels, labels = (batch.column(position).buffers()[1] for position in (0, 1))
    images = ImageSet(
        np.frombuffer(pixels, np.uint8, count=int(np.prod(shape))).reshape(shape),
        np.frombuffer(labels, np.int64, count=shape[0]),
    )
    if header.pop("check") != _check_digest(header, images):
        raise ValueError(f"{path.name} does not hold what was written")
    return header, images


def _check_digest(header: dict[str, Any], images: ImageSet) -> str:
    digest = hashlib.blake2b(json.dumps(header, sort_keys=True).encode(), digest_size=16)
    digest.update(images.labels.data)
    digest.update(images.images.data)
    return digest.hexdigest()
