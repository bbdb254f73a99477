import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antisample.data.drawing import SplitConfig, stratified_subset
from antisample.data.forget_request import ForgetRequest, forget_classes
from antisample.data.splits import make_splits
from antisample.errors import ConfigError
from antisample.types import Dataset, ImageSet

NAMES = ("plane", "car", "bird", "cat")


def dataset(n_train=80, n_test=40, names=NAMES):
    def part(n):
        labels = np.arange(n) % len(names)
        return ImageSet(np.zeros((n, 1, 2, 2), np.uint8), labels.astype(np.int64))

    return Dataset("made", part(n_train), part(n_test), names, "fingerprint")


def split(classes=("cat",), has_checkpoint=False, data=None, **config):
    return make_splits(
        data or dataset(), ForgetRequest(classes=classes), SplitConfig(**config), has_checkpoint=has_checkpoint
    )


def test_a_model_trained_here_holds_validation_out_of_training():
    splits = split()
    assert splits.validation_from == "train"
    train = np.concatenate([splits.forget, splits.retain])
    assert not set(train) & set(splits.validation)
    assert sorted([*train, *splits.validation]) == list(range(80))
    assert len(splits.test) == 40


def test_a_checkpoint_takes_a_stratified_half_of_the_test_split():
    data = dataset()
    splits = split(has_checkpoint=True, data=data)
    assert splits.validation_from == "test"
    assert not set(splits.validation) & set(splits.test)
    assert sorted([*splits.validation, *splits.test]) == list(range(40))
    assert np.bincount(data.test.labels[splits.validation]).tolist() == [5, 5, 5, 5]
    assert len(splits.forget) + len(splits.retain) == 80


def test_forget_and_retain_are_sorted_by_class():
    data = dataset()
    splits = split(("cat", 0), data=data)
    assert splits.forget_classes == (0, 3)
    assert set(data.train.labels[splits.forget]) == {0, 3}
    assert set(data.train.labels[splits.retain]) == {1, 2}


def test_validation_does_not_depend_on_the_forget_request():
    assert np.array_equal(split(("cat",)).validation, split(("car", "bird")).validation)


def test_fingerprint_follows_seed_and_request():
    assert split().fingerprint == split().fingerprint
    assert len({split().fingerprint, split(("car",)).fingerprint, split(seed=1).fingerprint}) == 3


def test_names_and_numbers_name_the_same_class():
    assert forget_classes(ForgetRequest(classes=("cat", 3, "3")), NAMES) == (3,)


def test_a_name_that_is_a_number_counts_as_a_name():
    assert forget_classes(ForgetRequest(classes=(7,)), ("9", "8", "7")) == (2,)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ((4,), "class names, or labels from 0 to 3, but got 4. The classes are plane, car, bird, cat"),
        (("dog",), "but got 'dog'"),
        ((-1,), "but got -1"),
        ((0, 1, 2, 3), "must leave at least one class, but got all 4"),
    ],
)
def test_impossible_requests(classes, message):
    with pytest.raises(ConfigError, match=message):
        split(classes)


def test_all_unknown_classes_are_named_at_once():
    with pytest.raises(ConfigError) as caught:
        split(("dog", "frog"))
    assert len(caught.value.problems) == 2


def test_a_class_too_small_to_split_is_named():
    with pytest.raises(ConfigError, match="leaves no image on one side for class plane, car"):
        split(data=dataset(n_train=4, n_test=8))


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    fractions=st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)),
    seed=st.integers(0, 100),
)
def test_smaller_subsets_are_nested_in_larger_ones_and_keep_every_class(counts, fractions, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    small, large = (
        set(stratified_subset(labels, fraction, np.random.default_rng(seed))) for fraction in sorted(fractions)
    )
    assert small <= large
    assert set(labels[list(small)]) == set(range(len(counts)))


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ([0, 1, 2], "the test split must hold images of the classes to forget, cat"),
        ([3], "the test split must hold images of other classes than those to forget"),
        ([], "the test split must hold images, but is empty"),
    ],
)
def test_a_test_split_that_tells_nothing_is_refused(kept, message):
    whole = dataset()
    keep = np.isin(whole.test.labels, kept)
    test = ImageSet(whole.test.images[keep], whole.test.labels[keep])
    with pytest.raises(ConfigError, match=message):
        split(data=Dataset("made", whole.train, test, NAMES, "fingerprint"))
