"""A request after others: labels by name, and images that are in no split any more."""

import numpy as np
import pytest

from antisample.data.drawing import SplitConfig
from antisample.data.earlier_requests import EarlierRequest, EarlierRequests
from antisample.data.forget_request import ForgetRequest
from antisample.data.image_digests import image_digests
from antisample.data.splits import make_splits
from antisample.errors import ConfigError
from antisample.types import Dataset, ImageSet

NAMES = ("plane", "car", "bird", "cat")


def numbered(names=NAMES, n=80):
    """Images that all differ, of as many classes as there are names."""

    def part(n, offset):
        values = (np.arange(n) + offset).astype(np.uint16)
        images = np.stack([values >> 8, values & 255], axis=1).astype(np.uint8).reshape(n, 1, 1, 2)
        return ImageSet(images, (np.arange(n) % len(names)).astype(np.int64))

    return Dataset("made", part(n, 0), part(40, 1000), names, "0" * 32)


def request(*classes, samples=(), **facts):
    return EarlierRequest(
        card="a" * 64,
        model="b" * 32,
        in_words=",".join(classes),
        classes=classes,
        samples=samples,
        by_samples=bool(samples),
        most_accuracy={"validation": 0.1, "test": 0.1},
        **facts,
    )


def earlier(*requests, **facts):
    values = {
        "card": "first/card.json",
        "requests": requests,
        "class_names": NAMES,
        "data": "0" * 32,
        "split": SplitConfig(),
        "validation_from": "train",
    }
    return EarlierRequests(**(values | facts))


def split(data, chain, has_checkpoint=True, **wanted):
    return make_splits(
        data,
        ForgetRequest(**wanted),
        chain.split_of(data, SplitConfig()),
        has_checkpoint=has_checkpoint,
        earlier=chain.images(data),
    )


def test_images_of_an_earlier_class_are_in_no_split():
    data = numbered()
    splits = split(data, earlier(request("bird")), classes=["car"])
    for labels, positions in (
        (data.train.labels, [*splits.forget, *splits.retain, *splits.validation]),
        (data.test.labels, splits.test),
    ):
        assert 2 not in set(labels[positions])
    assert set(data.train.labels[splits.earlier_train]) == set(data.train.labels[splits.earlier_validation]) == {2}
    assert set(data.test.labels[splits.earlier_test]) == {2}
    assert (splits.earlier_classes, splits.gone_classes) == ((2,), (1, 2))


def test_with_the_same_data_validation_images_stay_those_that_no_request_has_seen():
    data = numbered()
    first = make_splits(data, ForgetRequest(classes=["bird"]), SplitConfig(), has_checkpoint=False)
    chain = earlier(request("bird"), validation_from=first.validation_from)
    second = split(data, chain, classes=["car"])
    assert second.validation_from == "train"
    assert sorted([*second.validation, *second.earlier_validation]) == sorted(first.validation)
    other = earlier(request("bird"), data="1" * 32)
    assert split(data, other, classes=["car"]).validation_from == "test", "another draw may have been trained on"


def test_the_digest_of_splits_tells_what_was_forgotten_before():
    data = numbered()
    plain = make_splits(data, ForgetRequest(classes=["car"]), SplitConfig(), has_checkpoint=True)
    of_bird, of_cat = (split(data, earlier(request(name)), classes=["car"]) for name in ("bird", "cat"))
    assert len({plain.fingerprint, of_bird.fingerprint, of_cat.fingerprint}) == 3


def test_earlier_samples_are_recognised_by_their_pixels_wherever_they_stand():
    data = numbered()
    digests = image_digests([(data.train, np.array([5, 13, 40]))])
    chain = earlier(request("car", "plane", samples=digests), data="1" * 32)
    moved = np.random.default_rng(0).permutation(80)
    shuffled = Dataset(
        "made", ImageSet(data.train.images[moved], data.train.labels[moved]), data.test, NAMES, "2" * 32
    )
    splits = split(shuffled, chain, classes=["cat"])
    gone = {int(np.flatnonzero(moved == place)[0]) for place in (5, 13, 40)}
    assert set(splits.earlier[0].samples) == gone
    assert not gone & {*splits.forget, *splits.retain, *splits.validation}
    assert splits.earlier_classes == (), "the classes of samples are kept"


def test_labels_are_the_models_where_the_data_lacks_what_was_forgotten():
    data = numbered(("cat", "car", "plane"))
    moved = earlier(request("bird")).with_model_labels(data)
    assert moved.class_names == NAMES
    by_name = [NAMES[label] for label in moved.train.labels]
    assert by_name == [data.class_names[label] for label in data.train.labels]
    assert moved.fingerprint != data.fingerprint
    assert earlier(request("bird")).with_model_labels(numbered()) is not None
    splits = split(moved, earlier(request("bird")), classes=["plane"])
    assert set(moved.train.labels[splits.forget]) == {0}
    assert not len(splits.earlier_train)


def test_names_are_the_same_however_unicode_composes_them():
    chain = earlier(request("bird"), class_names=("caf\u00e9", "car", "bird"))
    data = numbered(("cafe\u0301", "car"))
    assert list(chain.with_model_labels(data).train.labels[:2]) == [0, 1]


def test_data_in_the_models_order_stays_as_it_is():
    data = numbered()
    assert earlier(request("bird")).with_model_labels(data) is data


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("plane", "car", "bird", "dog"), "made has dog, which the model does not"),
        (("plane", "car", "bird"), "made lacks cat"),
        (("a", "b"), "made has a,b, which the model does not"),
    ],
)
def test_data_of_other_classes_is_refused(names, told):
    with pytest.raises(ConfigError, match=f"`after` must name a card of a model of these classes.*{told}"):
        earlier(request("bird")).with_model_labels(numbered(names))


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (
            {"classes": ["bird"]},
            "`forget.classes` must name what the model has not forgotten yet, but got bird, which",
        ),
        ({"classes": ["car", 2]}, "but got bird, which the earlier request for bird has forgotten"),
        ({"samples": [2]}, "`forget.samples` must name what .* but got an image of bird"),
        (
            {"classes": ["plane", "car", "cat"]},
            "must leave at least one class, but 1 are forgotten already and 3 more",
        ),
    ],
)
def test_what_is_forgotten_already_is_not_forgotten_again(wanted, told):
    with pytest.raises(ConfigError, match=told):
        split(numbered(), earlier(request("bird")), **wanted)


def test_samples_are_not_forgotten_again():
    data = numbered()
    chain = earlier(request("car", samples=image_digests([(data.train, np.array([5]))])))
    with pytest.raises(
        ConfigError, match=r"but got 1 that the earlier request for car has forgotten, such as image 5"
    ):
        split(data, chain, samples=[5, 6])


def test_a_request_of_the_first_kind_has_splits_as_before():
    data = numbered()
    splits = make_splits(data, ForgetRequest(classes=["cat"]), SplitConfig(), has_checkpoint=True)
    assert splits.earlier == ()
    assert not len(splits.earlier_train) + len(splits.earlier_validation) + len(splits.earlier_test)


def test_samples_need_digests():
    with pytest.raises(ValueError, match="`samples` if and only if `by_samples`"):
        EarlierRequest(**{**request("car").model_dump(), "by_samples": True})
