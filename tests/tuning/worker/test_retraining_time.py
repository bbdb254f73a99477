"""The part of the images that unlearnings and a retraining are timed on, and what the latter takes."""

import math

import numpy as np

from antisample.data.drawing import SplitConfig
from antisample.data.forget_request import ForgetRequest
from antisample.data.splits import make_splits
from antisample.datasets import load_dataset
from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.worker.retraining_time import part_of, time_retraining


def test_a_part_has_its_share_of_what_is_to_forget_and_of_every_class(tmp_path):
    dataset = load_dataset("digits", cache_dir=tmp_path)
    splits = make_splits(dataset, ForgetRequest(classes=("3",)), SplitConfig(), has_checkpoint=False)
    some = part_of(splits, 300)
    assert abs(len(some.forget) + len(some.retain) - 300) <= 1
    assert len(some.forget) == round(300 * len(splits.forget) / (len(splits.forget) + len(splits.retain)))
    assert set(np.unique(dataset.train.labels[some.retain])) == set(range(10)) - {3}
    assert set(some.retain) <= set(splits.retain)
    assert some.fingerprint != splits.fingerprint


def test_a_part_of_more_than_there_is_is_everything(tmp_path):
    dataset = load_dataset("digits", cache_dir=tmp_path)
    splits = make_splits(dataset, ForgetRequest(classes=("3",)), SplitConfig(), has_checkpoint=False)
    some = part_of(splits, 100_000)
    for each in ("forget", "retain", "validation", "test"):
        assert np.array_equal(getattr(some, each), getattr(splits, each))
    assert len(part_of(splits, 2).forget) == 1, "there is always something to forget"


def test_a_retraining_is_timed_without_being_done(values, digits_inputs):
    recipe = {"name": "SmallCNN", "recipe": {"epochs": 100_000}}
    seconds = time_retraining(
        (digits_inputs,), TrialPlan.of(parse_study({**values, "model": recipe, "device": "cpu"}))
    )
    assert 100 < seconds < math.inf, "a thousandth of a second an epoch, at the least"
