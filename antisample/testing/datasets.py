"""What every data set promises."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from antisample.datasets import load_dataset
from antisample.types import Dataset


class DatasetConformance(ABC):
    """Subclass it for a data set and give it a few files to read.

    Attributes:
        channels: Of its images: 1 or 3.
        size: Their height and width in pixels.
        names: Its class names, by label.
    """

    channels: ClassVar[int] = 3
    size: ClassVar[int] = 8
    names: ClassVar[tuple[str, ...]]

    @abstractmethod
    def source(self, tmp_path: Path, changed: bool) -> tuple[str, Path | None]:
        """Writes a few files; those that are there as they should be are left alone.

        Args:
            tmp_path: An empty folder.
            changed: Whether one pixel of a training image is another one.

        Returns:
            `data.source` and `data.root`.
        """

    @pytest.fixture
    def load(self, tmp_path: Path) -> Callable[..., Dataset]:
        """Loads it; `changed` as above, `cache` names a folder, other options are those of `load_dataset`."""

        def load(changed: bool = False, cache: str = "cache", **options: Any) -> Dataset:
            source, root = self.source(tmp_path, changed)
            return load_dataset(source, root=root, cache_dir=tmp_path / cache, **options)

        return load

    def test_splits_have_the_promised_shapes_types_and_labels(self, load: Callable[..., Dataset]) -> None:
        data = load()
        assert data.class_names == self.names
        assert (data.channels, data.image_size) == (self.channels, self.size)
        for split in (data.train, data.test):
            assert split.images.shape == (len(split), self.channels, self.size, self.size)
            assert split.images.dtype == np.uint8
            assert split.images.flags.c_contiguous
            assert split.labels.dtype == np.int64
            assert split.labels.shape == (len(split),)
            assert split.labels.min() >= 0
            assert split.labels.max() < data.n_classes
        assert set(data.train.labels.tolist()) == set(range(data.n_classes))

    def test_decoding_twice_gives_the_same(self, load: Callable[..., Dataset]) -> None:
        first, second = load(), load(cache="another")
        assert first.fingerprint == second.fingerprint
        np.testing.assert_array_equal(first.train.images, second.train.images)
        np.testing.assert_array_equal(first.test.labels, second.test.labels)

    def test_the_cache_is_mapped_and_not_written_again(self, load: Callable[..., Dataset], tmp_path: Path) -> None:
        source = load()
        stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
        again = load()
        assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
        assert again.fingerprint == source.fingerprint
        for split, other in ((again.train, source.train), (again.test, source.test)):
            np.testing.assert_array_equal(split.images, other.images)
            np.testing.assert_array_equal(split.labels, other.labels)
            assert type(split.images) is np.ndarray
            assert not split.images.flags.writeable
            assert not split.labels.flags.writeable
            assert is_mapped(split.images)

    @pytest.mark.parametrize("image_size", [5, 16])
    def test_image_size_is_honoured(self, load: Callable[..., Dataset], image_size: int) -> None:
        data = load(image_size=image_size)
        assert data.train.images.shape[1:] == (self.channels, image_size, image_size)
        assert data.test.images.shape[1:] == (self.channels, image_size, image_size)
        assert data.fingerprint != load().fingerprint


class FileDatasetConformance(DatasetConformance):
    """For data sets whose files a user can change."""

    def test_a_changed_pixel_changes_the_fingerprint(self, load: Callable[..., Dataset]) -> None:
        assert load().fingerprint != load(changed=True).fingerprint


def is_mapped(array: np.ndarray[Any, Any]) -> bool:
    """Whether the memory of the array belongs to a cache file; read from the kernel's table of mappings."""
    address = array.__array_interface__["data"][0]
    for line in Path("/proc/self/maps").read_text().splitlines():
        low, high = (int(part, 16) for part in line.split()[0].split("-"))
        if low <= address < high:
            return line.endswith(".arrow")
    return False
