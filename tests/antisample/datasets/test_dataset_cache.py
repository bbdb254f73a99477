"""The cache of decoded data sets: keys, damage, races."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from antisample.datasets import DecodedData, load_dataset
from antisample.datasets.cache import cache_key, fingerprint, read_cache, write_cache
from antisample.datasets.source import validate
from antisample.errors import DataError
from antisample.storage.cache import Cache
from antisample.types import ImageSet


def image_set(n: int, channels: int = 3, height: int = 4, width: int = 4) -> ImageSet:
    images = np.random.default_rng(n).integers(0, 256, (n, channels, height, width), dtype=np.uint8)
    return ImageSet(images, np.arange(n, dtype=np.int64) % 2)


@pytest.fixture
def data() -> DecodedData:
    return DecodedData(image_set(200), image_set(5), ("a", "b"))


def arrow_file(folder: Path, split: str = "train") -> Path:
    return next(folder.glob(f"*-{split}.arrow"))


def test_what_was_written_is_read(tmp_path: Path, data: DecodedData) -> None:
    write_cache(Cache(tmp_path / "new" / "folder"), "key", data)
    found = read_cache(Cache(tmp_path / "new" / "folder"), "key")
    assert found is not None
    stored, digest = found
    assert digest == fingerprint(data)
    assert stored.class_names == data.class_names
    np.testing.assert_array_equal(stored.train.images, data.train.images)
    np.testing.assert_array_equal(stored.test.labels, data.test.labels)
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "key-test.arrow",
        "key-train.arrow",
    ]


def test_fingerprint_sees_pixels_labels_names_and_shape(data: DecodedData) -> None:
    pixels, labels = data.train.images.copy(), data.train.labels.copy()
    pixels[77, 1, 2, 3] ^= 1
    labels[77] ^= 1
    variants = [
        data,
        DecodedData(ImageSet(pixels, data.train.labels), data.test, data.class_names),
        DecodedData(ImageSet(data.train.images, labels), data.test, data.class_names),
        DecodedData(data.train, data.test, ("b", "a")),
        DecodedData(ImageSet(data.train.images.reshape(200, 3, 2, 8), data.train.labels), data.test, ("a", "b")),
        DecodedData(data.test, data.train, data.class_names),
    ]
    assert len({fingerprint(variant) for variant in variants}) == len(variants)


def test_the_key_depends_on_source_and_size() -> None:
    keys = {
        cache_key(["a", "b"], None),
        cache_key(["ab"], None),
        cache_key(["a", "b"], 8),
        cache_key(["a", "b"], 9),
    }
    assert len(keys) == 4


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("damage", ["empty", "half", "footer", "text", "first pixel", "labels", "other set"])
def test_a_damaged_cache_is_rebuilt_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, split: str, damage: str
) -> None:
    good = load_dataset("digits", cache_dir=tmp_path)
    pixels, labels = good.train.images.copy(), good.train.labels.copy()
    path = arrow_file(tmp_path, split)
    content = bytearray(path.read_bytes())
    stored = getattr(good, split)
    if damage == "first pixel":
        position = content.index(stored.images[0].tobytes())
        content[position] ^= 1
    elif damage == "labels":
        position = content.index(stored.labels.tobytes())
        content[position + 8 * (len(stored) // 3)] ^= 1
    elif damage == "other set":
        other = tmp_path / "other"
        load_dataset("digits", image_size=9, cache_dir=other)
        content = bytearray(arrow_file(other, split).read_bytes())
    else:
        keep = {"empty": 0, "half": len(content) // 2, "footer": len(content) - 3, "text": 0}[damage]
        content = content[:keep] + (b"not arrow" if damage == "text" else b"")
    path.with_suffix(".new").write_bytes(content)
    path.with_suffix(".new").replace(path)
    with caplog.at_level(logging.WARNING):
        again = load_dataset("digits", cache_dir=tmp_path)
    assert "is damaged and will be rebuilt" in caplog.text
    assert again.fingerprint == good.fingerprint
    np.testing.assert_array_equal(again.train.images, pixels)
    np.testing.assert_array_equal(again.train.labels, labels)
    caplog.clear()
    load_dataset("digits", cache_dir=tmp_path)
    assert not caplog.records


@pytest.mark.parametrize("row", [0, 17, 199])
def test_one_flipped_pixel_is_noticed(tmp_path: Path, data: DecodedData, row: int) -> None:
    write_cache(Cache(tmp_path), "key", data)
    path = arrow_file(tmp_path)
    content = path.read_bytes()
    at = content.index(data.train.images[row].tobytes()) + 5
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    assert read_cache(Cache(tmp_path), "key") is None


def test_half_a_cache_is_rebuilt(tmp_path: Path) -> None:
    good = load_dataset("digits", cache_dir=tmp_path)
    arrow_file(tmp_path, "test").unlink()
    assert load_dataset("digits", cache_dir=tmp_path).fingerprint == good.fingerprint


def test_arrays_outlive_a_replaced_file(tmp_path: Path) -> None:
    first = load_dataset("digits", cache_dir=tmp_path)
    before = first.train.images.copy()
    arrow_file(tmp_path).unlink()
    load_dataset("digits", cache_dir=tmp_path)
    np.testing.assert_array_equal(first.train.images, before)


def test_fingerprint_is_independent_of_the_file_layout(tmp_path: Path) -> None:
    for suffix in ("png", "bmp"):
        for split, brightness in (("train", 0), ("test", 1)):
            folder = tmp_path / suffix / split / "a"
            folder.mkdir(parents=True)
            for position, image in enumerate(image_set(3).images.transpose(0, 2, 3, 1) // 2 + brightness):
                Image.fromarray(np.ascontiguousarray(image)).save(folder / f"{position}.{suffix}")
    first, second = (load_dataset(str(tmp_path / s), cache_dir=tmp_path / "cache") for s in ("png", "bmp"))
    assert first.fingerprint == second.fingerprint


def test_a_touched_file_is_decoded_again(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / "set" / split / "a").mkdir(parents=True)
        Image.new("L", (4, 4)).save(tmp_path / "set" / split / "a" / "0.bmp")
    path = tmp_path / "set" / "train" / "a" / "0.bmp"
    first = load_dataset(str(tmp_path / "set"), cache_dir=tmp_path / "cache")
    Image.new("L", (4, 4), 9).save(path)
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))
    assert load_dataset(str(tmp_path / "set"), cache_dir=tmp_path / "cache").fingerprint != first.fingerprint


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"file.*: cannot be written"):
        load_dataset("digits", cache_dir=tmp_path / "file")


def invalid(train: ImageSet, test: ImageSet, names: tuple[str, ...] = ("a", "b")) -> str:
    with pytest.raises(DataError) as caught:
        validate(DecodedData(train, test, names), "the set")
    return str(caught.value)


def test_validate_names_rule_and_value() -> None:
    good, empty = image_set(4), ImageSet(np.empty((0, 3, 4, 4), np.uint8), np.empty(0, np.int64))
    assert "the test split must hold at least 1 image, but got 0" in invalid(good, empty)
    assert "must be square, but got 4x5" in invalid(image_set(4, width=5), good)
    assert "[4, 1 or 3, height, width], but got [4, 2, 4, 4]" in invalid(image_set(4, channels=2), good)
    assert "must have the same shape" in invalid(image_set(4, channels=1), good)
    assert "labels must be in [0, 1), but got 1" in invalid(good, good, ("a",))
    assert "every class must have a training image, but got 0 for ['c']" in invalid(good, good, ("a", "b", "c"))
    negative = ImageSet(good.images, good.labels - 1)
    assert "labels must be in [0, 2), but got -1" in invalid(negative, good)
    assert "the shape [4, 1 or 3" in invalid(ImageSet(good.images[:3], good.labels), good)
