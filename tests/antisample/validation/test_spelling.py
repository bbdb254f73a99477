"""Misspelled names are put right, and what is no misspelling gets no suggestion."""

import pytest

from antisample.validation import spelling
from antisample.validation.spelling import did_you_mean, nearest
from search_spaces import spelling as of_spaces

_KEYS = ("n_trials", "max_failures", "data", "seed", "storage", "storage_path", "sampler", "tracking_uri")
_MODELS = ("SmallCNN", "ResNet9", "ResNet18", "MobileNet_v2")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("n_trial", "n_trials"),
        ("trials", "n_trials"),
        ("n-trials", "n_trials"),
        ("N_TRIALS", "n_trials"),
        ("nTrials", "n_trials"),
        ("failures", "max_failures"),
        ("storge", "storage"),
        ("tracking", "tracking_uri"),
        ("seeds", "seed"),
    ],
)
def test_the_name_that_is_written_almost_the_same_is_meant(word, name):
    assert nearest(word, _KEYS) == name
    assert did_you_mean(word, _KEYS) == f" Did you mean {name!r}?"


@pytest.mark.parametrize("word", ["colour", "threads", "x", "", "metric", "n" * 10_000, 7, None, "storage"])
def test_nothing_absurd_is_suggested(word):
    assert nearest(word, _KEYS) is None
    assert did_you_mean(word, _KEYS) == ""


def test_names_with_other_numbers_are_other_names():
    assert nearest("ResNet50", _MODELS) is None
    assert nearest("ResNt18", _MODELS) == "ResNet18"
    assert nearest("mobilenet", _MODELS) == "MobileNet_v2"


def test_search_spaces_which_import_no_sibling_judge_alike():
    for word in ("n_trial", "colour", "ResNet50", "ResNt18", "mobilenet", "a\nb"):
        for names in (_KEYS, _MODELS):
            assert of_spaces.did_you_mean(word, names) == spelling.did_you_mean(word, names)
