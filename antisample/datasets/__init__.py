"""Data sets by name or path: decoded once, then mapped from a cache.

A new data set is a file with a class that fits `DatasetSource` and a line in `_SOURCES`, or an entry point
`antisample.datasets` of another package.
"""

import logging
import os
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from antisample.datasets.archives import CLASS_FOLDERS, PICKLE_SUFFIXES, refuse_archives
from antisample.datasets.cache import cache_key, read_cache, write_cache
from antisample.datasets.casia_webface import CasiaWebFace
from antisample.datasets.drawn_split import TestDraw, check_draw
from antisample.datasets.embedded import Digits
from antisample.datasets.image_folder import ImageFolder, all_files
from antisample.datasets.image_layout import holds_class_folders, holds_split_folders, split_folders
from antisample.datasets.listing import counted, is_file, is_unicode, printable, refuse_broken_link, visible
from antisample.datasets.parquet import ParquetFolder
from antisample.datasets.parquet_layout import holds_parquet_files
from antisample.datasets.source import DatasetSource, DecodedData, check_classes, validate
from antisample.datasets.torchvision_sets import TorchvisionSource
from antisample.errors import ConfigError, DataError
from antisample.plugins.discovery import Plugin
from antisample.plugins.registry import PluginRegistry
from antisample.storage.cache import Cache
from antisample.types import Dataset
from antisample.validation.spelling import did_you_mean

__all__ = ["load_dataset", "dataset_names", "dataset_plugin", "training_files", "DatasetSource", "DecodedData"]

_logger = logging.getLogger(__name__)

SourceBuilder = Callable[[Path | None, bool], DatasetSource]
"""Makes a source of `data.root` and `data.download`."""

_SOURCES: dict[str, SourceBuilder] = {
    "digits": lambda _root, _download: Digits(),
    "cifar10": partial(TorchvisionSource, "CIFAR10"),
    "svhn": partial(TorchvisionSource, "SVHN"),
    "mnist": partial(TorchvisionSource, "MNIST"),
    "fashionMNIST": partial(TorchvisionSource, "FashionMNIST"),
    "casia-webface": lambda root, _download: CasiaWebFace(root),
}


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _accepted(name: str, plugin: Any) -> SourceBuilder:
    """What an entry point names as a data set, if it can be called with `data.root` and `data.download`."""
    if not callable(plugin):
        raise ConfigError("it must be called with `data.root` and `data.download`, but cannot be called")

    def build(root: Path | None, download: bool) -> DatasetSource:
        source = plugin(root, download)
        if not all(callable(getattr(source, method, None)) for method in ("identity", "decode")):
            raise ConfigError(
                f"`data.source` {name!r} must be a data set with the methods `identity` and `decode`, but got "
                f"{type(source).__name__}."
            )
        return source  # type: ignore[no-any-return]

    return build


_REGISTRY = PluginRegistry("dataset", "data.source", _SOURCES, _accepted, _plain)


def dataset_names() -> tuple[str, ...]:
    """Lists the registered data sets, those of plug-ins included.

    Returns:
        Names that `load_dataset` takes, whatever their case.
    """
    return _REGISTRY.names()


def dataset_plugin(source: str) -> Plugin | None:
    """The plug-in that a data set comes from; None for antisample's own, and for folders."""
    return _REGISTRY.plugin(source)


def is_registered(source: str) -> bool:
    """Whether `load_dataset` takes this as the name of a data set, also where a folder has that name."""
    return _REGISTRY.canonical(source) is not None


def load_dataset(
    source: str,
    *,
    root: Path | None = None,
    download: bool = False,
    image_size: int | None = None,
    cache_dir: Path | str,
    test_fraction: float | None = None,
    split_seed: int = 0,
    may_lack: Collection[str] = (),
) -> Dataset:
    """Opens a data set, decoding it on first use.

    A folder is read by its layout: `train/<class>/`, `test/<class>/` and `val/<class>/` hold images, or Parquet files
    are named as on the Hugging Face hub; see `ImageFolder` and `ParquetFolder`.

    Args:
        source: A registered name (any case, hyphens and underscores ignored) or the path of a folder. A name wins
            over a folder of that name; write `./name` for the folder.
        root: For the torchvision data sets and casia-webface, the folder that holds them.
        download: For the torchvision data sets, whether to download what is missing into `root`.
        image_size: Height and width to resize all images to, bilinear and antialiased; None keeps their size,
            but takes casia-webface to 64.
        cache_dir: Where decoded data sets are kept, see `Cache.at`; made if it does not exist.
        test_fraction: For data without a test split, the share of each class to draw for testing, in (0, 1).
        split_seed: Seed of that draw.
        may_lack: Names of classes that the data may name without holding training images of them.

    Returns:
        The data set; its arrays are read-only and mapped from a file of `cache_dir`.

    Raises:
        ConfigError: If the name is unknown, `image_size` is less than 1, or test images cannot be drawn as asked.
        DataError: If the data is missing, damaged or of another layout than required, or the cache cannot be
            written.
        StorageError: If the cache is an object store and cannot be asked.
    """
    if image_size is not None and image_size < 1:
        raise ConfigError(f"`data.image_size` must be at least 1, but got {image_size}.")
    name, loader = resolve_source(source, root, download)
    draw = None if test_fraction is None else TestDraw(test_fraction, split_seed)
    if isinstance(loader, ImageFolder | ParquetFolder):
        check_draw(source, draw, has_test=loader.has_test_split(), notes=loader.layout.notes)
    cache = Cache.at(cache_dir)
    key = cache_key(loader.identity(), image_size)

    def decode() -> DecodedData:
        _logger.info("Decoding %s.", source)
        decoded = loader.decode(image_size)
        validate(decoded, source, may_lack)
        return decoded

    if draw is None:
        data, fingerprint = _kept(cache, key, decode)
    else:
        drawn_key = cache_key([key, draw.key()], image_size)
        data, fingerprint = _kept(cache, drawn_key, lambda: _drawn(source, draw, _kept(cache, key, decode)[0]))
    check_draw(source, None, has_test=data.test is not None, notes=data.notes)
    if data.test is None:
        raise DataError(f"{source}: there is no test split.")
    check_classes(data.class_names, data.train.labels, source, may_lack)  # who decoded it may have asked for less
    return Dataset(name, data.train, data.test, data.class_names, fingerprint, data.validation, data.notes)


def training_files(
    source: str, root: Path | None = None, *, test_fraction: float | None = None, split_seed: int = 0
) -> list[str]:
    """Lists the training images of a folder of images, in the order of the training split.

    Args:
        source: As `load_dataset` takes it.
        root: Likewise.
        test_fraction: Likewise; images drawn for testing are not listed.
        split_seed: Likewise.

    Returns:
        Files, `<class>/<file>`.

    Raises:
        ConfigError: If the source is no folder of images: then images have positions and no names.
        DataError: If the folder is of another layout than required.
    """
    name, loader = resolve_source(source, root, download=False)
    if not isinstance(loader, ImageFolder | CasiaWebFace):
        raise ConfigError(f"{name}: is not an image folder, so its images are only identified by position.")
    by_class = loader.splits()[0]
    files = [f"{file.parent.name}/{file.name}" for file in all_files([by_class])]
    if test_fraction is None:
        return files
    labels = np.repeat(np.arange(len(by_class)), [len(each) for each in by_class.values()])
    train, _ = TestDraw(test_fraction, split_seed).positions(labels, list(by_class))
    return [files[position] for position in train]


def _kept(cache: Cache, key: str, make: Callable[[], DecodedData]) -> tuple[DecodedData, str]:
    """Data and fingerprint from the cache, made and written to it if they are not there."""
    cached = read_cache(cache, key)
    if cached is None:
        write_cache(cache, key, make())
        cached = read_cache(cache, key)
    if cached is None:
        raise DataError(f"{cache.folder}: the decoded data set was stored, but cannot be read back.")
    return cached


def _drawn(source: str, draw: TestDraw, data: DecodedData) -> DecodedData:
    check_draw(source, draw, has_test=data.test is not None)
    return draw.applied(data)


def resolve_source(source: str, root: Path | None, download: bool) -> tuple[str, DatasetSource]:
    """The name of a data set and what reads it; see `load_dataset`.

    Raises:
        ConfigError: If there is no such data set.
        DataError: If the folder is of another layout than required.
    """
    build = _REGISTRY.find(source)
    if build is not None:
        return _REGISTRY.canonical(source) or source, build(root, download)
    if "\0" in source or not is_unicode(source):
        raise ConfigError(f"`data.source` must be valid UTF-8 without null bytes, but got {source!a}.")
    separators = {os.sep, os.altsep or os.sep, "/"}
    try:
        path = Path(source).expanduser()
        refuse_broken_link(path)
        if not path.exists() and not any(separator in source for separator in separators):
            raise ConfigError(
                f"`data.source` must be one of {', '.join(dataset_names())}, or the path of a folder, "
                f"but got {source!r}.{did_you_mean(source, dataset_names())}"
            )
        name = path.resolve().name
        if not is_unicode(name):
            raise DataError(f"{printable(name)}: the name of a data set must be valid UTF-8; rename the folder.")
        return name, _source_at(path)
    except (OSError, RuntimeError) as error:  # a name that is too long, say, or the home of nobody
        raise DataError(f"{source}: cannot be read ({error}).") from error


def _source_at(path: Path) -> DatasetSource:
    if path.is_file() and path.suffix.lower() == ".parquet":
        return ParquetFolder(path)
    entries = visible(path) if path.is_dir() else []
    if path.is_dir():
        if split_folders(path):
            return ImageFolder(path)
        if holds_parquet_files(path):
            return ParquetFolder(path)
        if holds_split_folders(path) or holds_class_folders(path):
            return ImageFolder(path)
    for entry in entries:
        refuse_broken_link(entry)
    files = [path] if path.is_file() else [Path(entry) for entry in entries if is_file(entry)]
    if files and all(file.suffix.lower() in PICKLE_SUFFIXES for file in files):
        refuse_archives(files, CLASS_FOLDERS)
    what = counted(entries) if path.is_dir() else "a file" if path.exists() else "nothing there"
    raise DataError(
        f"{path}: a data set must be a folder with `train/<class>/` and `test/<class>/`, with Parquet files named "
        f"like `train-00000-of-00001.parquet`, or with class folders of images, but got {what}."
    )
