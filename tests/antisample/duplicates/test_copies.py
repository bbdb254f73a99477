"""Copies of images to forget: found by what they show, counted, and treated as the request says."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from antisample.data.drawing import SplitConfig
from antisample.data.forget_request import ForgetRequest
from antisample.data.splits import make_splits
from antisample.duplicates.copy_search import CopySearch
from antisample.duplicates.perceptual_hash import perceptual_hashes
from antisample.duplicates.settling import settle_copies
from antisample.errors import ConfigError
from antisample.types import Dataset, ImageSet

N_CLASSES, PER_CLASS = 3, 40


def scene(rng, size=32, channels=3):
    """An image of blobs, which differ more in brightness than in colour, with a little grain."""
    brightness, colour = rng.integers(0, 200, (1, 9, 9)), rng.integers(0, 50, (channels, 9, 9))
    rough = (brightness + colour).astype(np.uint8)
    smooth = [np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC)) for plane in rough]
    return np.clip(np.stack(smooth) + rng.normal(0, 4, (channels, size, size)), 0, 255).astype(np.uint8)


def scenes(seed, n, size=32, channels=3):
    rng = np.random.default_rng(seed)
    return np.stack([scene(rng, size, channels) for _ in range(n)])


def as_jpeg(image, quality=50):
    content = io.BytesIO()
    pixels = image.transpose(1, 2, 0)
    Image.fromarray(pixels[..., 0] if len(image) == 1 else pixels).save(content, "JPEG", quality=quality)
    decoded = np.asarray(Image.open(content))
    return decoded[None] if decoded.ndim == 2 else decoded.transpose(2, 0, 1)


def smaller_and_back(image):
    half = image.shape[-1] * 3 // 4
    return np.stack(
        [np.asarray(Image.fromarray(plane).resize((half, half)).resize(image.shape[1:])) for plane in image]
    )


def shifted(image, down, right):
    moved = np.zeros_like(image)
    size = image.shape[-1]
    to_rows, to_columns = (slice(max(0, by), size + min(0, by)) for by in (down, right))
    rows, columns = (slice(max(0, -by), size + min(0, -by)) for by in (down, right))
    moved[:, to_rows, to_columns] = image[:, rows, columns]
    return moved


@pytest.mark.parametrize(("size", "channels"), [(32, 3), (28, 1), (16, 3), (64, 3), (96, 1)])
def test_copies_are_found_and_other_images_are_not(size, channels):
    originals, others = scenes(1, 30, size, channels), scenes(2, 300, size, channels)
    by = 2 * size // 32
    changed = [
        originals[0],
        as_jpeg(originals[1]),
        smaller_and_back(originals[2]),
        shifted(originals[3], by, -by),
        shifted(originals[4], 0, by),
        np.clip(originals[5].astype(int) // 2 + 60, 0, 255).astype(np.uint8),
        np.tile(originals[6].mean(0, keepdims=True).astype(np.uint8), (channels, 1, 1)),
    ]
    images = np.concatenate([others[:150], np.stack(changed), others[150:]])
    pairs = CopySearch(ImageSet(originals, np.zeros(30, np.int64)), np.arange(30)).among(
        ImageSet(images, np.zeros(len(images), np.int64)), np.arange(len(images))
    )
    assert pairs.copies.tolist() == list(range(150, 157))
    assert pairs.of.tolist() == list(range(7))
    assert pairs.exact.tolist() == [True] + 5 * [False] + [channels == 1]
    assert (pairs.similarity >= 0.9).all()


def test_many_copies_of_one_image_are_all_found_and_positions_are_kept():
    original, others = scenes(1, 1), scenes(2, 50)
    images = np.concatenate([others, *(as_jpeg(original[0], quality)[None] for quality in range(40, 90))])
    positions = np.arange(1, 100, 2)
    pairs = CopySearch(ImageSet(original, np.zeros(1, np.int64)), np.arange(1)).among(
        ImageSet(images, np.zeros(100, np.int64)), positions
    )
    assert pairs.copies.tolist() == list(range(51, 100, 2))


def test_of_small_images_and_of_plain_ones_exact_copies_alone_are_found():
    plain = np.full((4, 3, 32, 32), [[[[10]]], [[[10]]], [[[11]]], [[[200]]]], np.uint8)
    small = scenes(3, 4, size=8, channels=1)
    small[1] = small[0]
    small[2] = small[0] + 1
    for images in (plain, small):
        labels = np.zeros(4, np.int64)
        pairs = CopySearch(ImageSet(images, labels), np.arange(1)).among(ImageSet(images, labels), np.arange(1, 4))
        assert pairs.copies.tolist() == [1]
        assert pairs.exact.all()


def test_a_hash_hardly_changes_with_brightness_and_does_with_the_image():
    images = scenes(4, 20).astype(np.float32).mean(1)
    hashes, brighter = perceptual_hashes(images), perceptual_hashes(images * 0.7 + 20)
    assert np.bitwise_count(hashes ^ brighter).max() <= 2
    assert np.bitwise_count(hashes[:10] ^ hashes[10:]).min() > 12


@pytest.fixture(scope="module")
def dataset():
    """Three classes; copies of images of class 0 and of class 1 lie in other classes and in the test split."""
    labels = np.repeat(np.arange(N_CLASSES), PER_CLASS)
    train, test = scenes(5, len(labels)), scenes(6, len(labels))
    train[50] = train[3]  # class 1 holds a copy of an image of class 0
    train[90] = as_jpeg(train[4])  # class 2
    train[7] = as_jpeg(train[5])  # class 0 itself
    test[100] = shifted(train[6], 2, 2)  # class 2
    test[8] = train[9]  # class 0 itself
    return Dataset("scenes", ImageSet(train, labels), ImageSet(test, labels), ("a", "b", "c"), "0" * 32)


def splits_of(dataset, tmp_path, duplicates, **request):
    forget = ForgetRequest(**request, duplicates=duplicates)
    splits = make_splits(dataset, forget, SplitConfig(validation_from="test"), has_checkpoint=True)
    return splits, settle_copies(dataset, splits, forget.duplicates, tmp_path)


def test_copies_of_a_class_in_other_classes_are_counted_and_left(dataset, tmp_path):
    before, after = splits_of(dataset, tmp_path, "report", classes=["a"])
    facts = after.copies
    assert (facts.retain, facts.validation + facts.test, facts.exact) == (2, 1, 1)
    assert {row[:3] for row in facts.pairs} == {("train", 50, 3), ("train", 90, 4), ("test", 100, 6)}
    assert dataclasses.replace(after, copies=None) == before or after.fingerprint == before.fingerprint
    assert np.array_equal(after.retain, before.retain)
    assert facts.describe().startswith("3 other images are copies of images to forget (1 exact): 2 to retain, ")
    assert "such as train image 50 of train image 3. They stay where they are" in facts.describe()


def test_copies_of_a_class_are_forgotten_and_no_longer_retained_or_measured(dataset, tmp_path):
    before, after = splits_of(dataset, tmp_path, "forget", classes=["a"])
    assert {*after.forget} == {*before.forget, 50, 90}
    assert {*before.retain} - {*after.retain} == {50, 90}
    assert 100 not in {*after.test, *after.validation}
    assert len(after.test) + len(after.validation) == len(before.test) + len(before.validation) - 1
    assert after.forget_classes == before.forget_classes
    assert after.fingerprint != before.fingerprint
    assert after.copies.total == 3
    assert "are forgotten, too" in after.copies.describe()


def test_copies_of_samples_count_in_their_own_class_too(dataset, tmp_path):
    before, after = splits_of(dataset, tmp_path, "forget", samples=[3, 5, 6, 9])
    assert {*after.forget} == {3, 5, 6, 9, 50, 7}
    assert after.forget_classes == (0, 1)
    assert not {8, 100} & {*after.test, *after.validation}
    assert after.copies.exact == 2
    assert before.forget_classes == (0,)


def test_copies_are_refused_where_the_request_says_so(dataset, tmp_path):
    with pytest.raises(ConfigError, match=r"3 other images are copies .* `forget.duplicates` is refuse; remove them"):
        splits_of(dataset, tmp_path, "refuse", classes=["a"])
    splits, settled = splits_of(dataset, tmp_path, "refuse", samples=[20, 21])
    assert settled.copies.total == 0
    assert settled.copies.describe() == "No copies of the images to forget were found among the other images."
    assert np.array_equal(splits.retain, settled.retain)


def test_what_was_found_is_kept_and_damage_is_searched_again(dataset, tmp_path):
    heard = []
    forget = ForgetRequest(classes=["a"])
    splits = make_splits(dataset, forget, SplitConfig(validation_from="test"), has_checkpoint=True)

    def settled():
        return settle_copies(dataset, splits, "report", tmp_path, lambda *shares: heard.append(shares)).copies

    first = settled()
    assert [share for share, _ in heard] == [1.0, 1.0, 1.0]
    assert settled() == first
    assert len(heard) == 3
    (path,) = (tmp_path / "copies").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert settled() == first
    assert len(heard) == 6


def test_a_class_that_copies_would_leave_empty_is_refused(dataset, tmp_path):
    images = dataset.train.images.copy()
    images[40:80] = images[:1]
    emptied = dataclasses.replace(dataset, train=ImageSet(images, dataset.train.labels))
    with pytest.raises(ConfigError, match="`forget` must leave training images of every class, but got all of b"):
        splits_of(emptied, tmp_path, "forget", samples=[0])
    with pytest.raises(ConfigError, match="`forget` must leave training images of every class, but got all of b"):
        splits_of(emptied, tmp_path, "forget", classes=["a"])
