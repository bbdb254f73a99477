"""CIFAR-10, SVHN, MNIST and Fashion-MNIST as torchvision stores them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from antisample.datasets.listing import refuse_broken_link
from antisample.datasets.pixels import PixelArray, resize_images
from antisample.datasets.source import DecodedData, file_identity
from antisample.errors import DataError
from antisample.types import ImageSet, IndexArray

_IDX_FILES = tuple(f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
_FILES = {
    "CIFAR10": tuple(
        f"cifar-10-batches-py/{name}"
        for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")
    ),
    "SVHN": ("train_32x32.mat", "test_32x32.mat"),
    "MNIST": tuple(f"MNIST/raw/{name}" for name in _IDX_FILES),
    "FashionMNIST": tuple(f"FashionMNIST/raw/{name}" for name in _IDX_FILES),
}
_DIGITS = tuple(str(digit) for digit in range(10))
# What torchvision's readers let through for absent, damaged and unreachable files.
_READ_ERRORS = (RuntimeError, OSError, ValueError, TypeError, KeyError, IndexError, EOFError, AssertionError)


@dataclass(frozen=True)
class TorchvisionSource:
    """A data set read by torchvision's own class, from a local folder.

    torchvision's reader of CIFAR-10 unpickles the official files, after it has compared each with a published
    MD5 sum; files that differ are refused unread. No other pickle is opened: the `processed` folder that old
    versions wrote for MNIST is refused.

    Attributes:
        kind: Name of the class in `torchvision.datasets`.
        root: The folder given to that class; holds, for example, `cifar-10-batches-py` or `MNIST/raw`.
        download: Whether to download what is missing into `root`.
    """

    kind: str
    root: Path | None
    download: bool

    def identity(self) -> Sequence[str]:
        """Finds, or downloads, the files.

        Returns:
            Name, size and time of change of every file.

        Raises:
            DataError: If there is no root, files are missing, or the download failed.
        """
        root = self._root()
        files = [root / name for name in _FILES[self.kind]]
        missing = [path for path in files if not path.is_file()]
        for path in missing:
            refuse_broken_link(path)
        if missing and not self.download:
            raise DataError(
                f"{self.kind}: the files of the data set must be in the root {root}, "
                f"but {missing[0].relative_to(root)} is missing; set `data.download` to true to download them."
            )
        if missing:
            for train in (True, False):
                self._build(train=train)
        return [self.kind, *file_identity(root, files)]

    def decode(self, image_size: int | None) -> DecodedData:
        """Reads both splits; see `DatasetSource.decode`."""
        train_set, test_set = self._build(train=True), self._build(train=False)
        names = _DIGITS if self.kind in ("MNIST", "SVHN") else tuple(str(name) for name in train_set.classes)
        train, test = (
            ImageSet(resize_images(_images(split), image_size), _labels(split)) for split in (train_set, test_set)
        )
        return DecodedData(train, test, names)

    def _root(self) -> Path:
        if self.root is None:
            raise DataError(
                f"{self.kind}: `data.root` must be the folder that holds the data set, or, where `data.download` is "
                "true, the one to download it into, but got None."
            )
        root = self.root.expanduser()
        refuse_broken_link(root)
        processed = root / self.kind / "processed"
        if any(processed.glob("*.pt")):
            raise DataError(
                f"{processed}: pickled files of an old torchvision are not read, because pickles can execute "
                "code; remove the folder to read the original files beside it."
            )
        return root

    def _build(self, *, train: bool) -> Any:
        # Here, because a worker that reads the cache should not wait for torchvision.
        import torchvision.datasets  # noqa: PLC0415

        root = self._root()
        split = {"split": "train" if train else "test"} if self.kind == "SVHN" else {"train": train}
        try:
            return getattr(torchvision.datasets, self.kind)(root, download=self.download, **split)
        except _READ_ERRORS as error:
            cause = "could not be downloaded into" if self.download else "is damaged or not the official one in"
            advice = "" if self.download else " Set `data.download` to true to download it again."
            raise DataError(f"{self.kind}: the data set {cause} the root {root} ({error}).{advice}") from error


def _images(split: Any) -> PixelArray:
    data = np.asarray(split.data)
    if data.ndim == 3:
        return data[:, None]
    return data.transpose(0, 3, 1, 2) if data.shape[3] == 3 else data


def _labels(split: Any) -> IndexArray:
    labels = split.targets if hasattr(split, "targets") else split.labels
    return np.asarray(labels, dtype=np.int64)
