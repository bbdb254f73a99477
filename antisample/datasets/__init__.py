"""Data sets by name or path: decoded once, then mapped from a cache.

A new data set is a file with a class that fits `DatasetSource` and a line in `_REGISTRY`.
"""

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from antisample.cache import Cache
from antisample.datasets.archives import CLASS_FOLDERS, PICKLE_SUFFIXES, refuse_archives
from antisample.datasets.cache import cache_key, read_cache, write_cache
from antisample.datasets.casia_webface import CasiaWebFace
from antisample.datasets.embedded import Digits
from antisample.datasets.image_folder import SPLITS, ImageFolder, all_files
from antisample.datasets.parquet import ParquetFolder, parquet_files
from antisample.datasets.source import DatasetSource, DecodedData, validate
from antisample.datasets.torchvision_sets import TorchvisionSource
from antisample.errors import ConfigError, DataError
from antisample.types import Dataset

__all__ = ["load_dataset", "dataset_names", "training_files", "DatasetSource", "DecodedData"]

_logger = logging.getLogger(__name__)

_REGISTRY: dict[str, Callable[[Path | None, bool], DatasetSource]] = {
    "digits": lambda _root, _download: Digits(),
    "cifar10": partial(TorchvisionSource, "CIFAR10"),
    "svhn": partial(TorchvisionSource, "SVHN"),
    "mnist": partial(TorchvisionSource, "MNIST"),
    "fashionMNIST": partial(TorchvisionSource, "FashionMNIST"),
    "casia-webface": lambda root, _download: CasiaWebFace(root),
}


def dataset_names() -> tuple[str, ...]:
    """Lists the registered data sets.

    Returns:
        Names that `load_dataset` takes, whatever their case.
    """
    return tuple(_REGISTRY)


def is_registered(source: str) -> bool:
    """Whether `load_dataset` takes this as the name of a data set, also where a folder has that name."""
    return any(_plain(name) == _plain(source) for name in _REGISTRY)


def load_dataset(
    source: str,
    *,
    root: Path | None = None,
    download: bool = False,
    image_size: int | None = None,
    cache_dir: Path | str,
) -> Dataset:
    """Opens a data set, decoding it on first use.

    A folder is read by its layout: `train/<class>/` and `test/<class>/` hold images, or `train*.parquet` and
    `test*.parquet` lie in it or in `data`.

    Args:
        source: A registered name (any case, hyphens and underscores ignored) or the path of a folder. A name wins
            over a folder of that name; write `./name` for the folder.
        root: For the torchvision data sets and casia-webface, the folder that holds them.
        download: For the torchvision data sets, whether to download what is missing into `root`.
        image_size: Height and width to resize all images to, bilinear and antialiased; None keeps their size,
            but takes casia-webface to 64.
        cache_dir: Where decoded data sets are kept, see `Cache.at`; made if it does not exist.

    Returns:
        The data set; its arrays are read-only and mapped from a file of `cache_dir`.

    Raises:
        ConfigError: If the name is unknown or `image_size` is less than 1.
        DataError: If the data is missing, damaged or of another layout than required, or the cache cannot be
            written.
        StorageError: If the cache is an object store and cannot be asked.
    """
    if image_size is not None and image_size < 1:
        raise ConfigError(f"`image_size` must be at least 1, but got {image_size}.")
    name, loader = _resolve(source, root, download)
    key = cache_key(loader.identity(), image_size)
    cache = Cache.at(cache_dir)
    cached = read_cache(cache, key)
    if cached is None:
        _logger.info("Decoding %s.", source)
        decoded = loader.decode(image_size)
        validate(decoded, source)
        write_cache(cache, key, decoded)
        cached = read_cache(cache, key)
    if cached is None:
        raise DataError(f"{cache_dir}: the decoded data set was stored, but cannot be read back.")
    data, fingerprint = cached
    return Dataset(name, data.train, data.test, data.class_names, fingerprint)


def training_files(source: str, root: Path | None = None) -> list[str]:
    """Lists the training images of a folder of images, in the order of the training split.

    Args:
        source: As `load_dataset` takes it.
        root: Likewise.

    Returns:
        Files, `<class>/<file>`.

    Raises:
        ConfigError: If the source is no folder of images: then images have positions and no names.
        DataError: If the folder is of another layout than required.
    """
    name, loader = _resolve(source, root, download=False)
    if not isinstance(loader, ImageFolder | CasiaWebFace):
        raise ConfigError(f"{name}: is no folder of images, so its images are known by position alone.")
    return [f"{file.parent.name}/{file.name}" for file in all_files(loader.splits()[:1])]


def _resolve(source: str, root: Path | None, download: bool) -> tuple[str, DatasetSource]:
    for name, build in _REGISTRY.items():
        if _plain(name) == _plain(source):
            return name, build(root, download)
    path = Path(source).expanduser()
    separators = {os.sep, os.altsep or os.sep, "/"}
    if not path.exists() and not any(separator in source for separator in separators):
        raise ConfigError(
            f"`dataset` must be one of {', '.join(dataset_names())}, or the path of a folder, but got {source!r}."
        )
    return path.resolve().name, _source_at(path)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _source_at(path: Path) -> DatasetSource:
    files = [path] if path.is_file() else [entry for entry in path.glob("[!.]*") if entry.is_file()]
    if path.is_dir() and any((path / split).is_dir() for split in SPLITS):
        return ImageFolder(path)
    if path.is_dir() and parquet_files(path):
        return ParquetFolder(path)
    if files and all(file.suffix.lower() in PICKLE_SUFFIXES for file in files):
        refuse_archives(files, CLASS_FOLDERS)
    found = "a file" if path.is_file() else f"{len(files)} other files" if path.is_dir() else "nothing there"
    raise DataError(
        f"{path}: a data set must be a folder with `train/<class>/` and `test/<class>/`, or with "
        f"`train*.parquet` and `test*.parquet`, but got {found}."
    )
