"""Predictions of the original and the reference are made once, and never taken for those of anything else."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from antisample.data.drawing import SplitConfig
from antisample.data.forget_request import ForgetRequest
from antisample.data.splits import make_splits
from antisample.metrics import PARTS, EvaluationSubject
from antisample.metrics.prediction_cache import kept_predictions
from antisample.types import Preprocessing
from antisample.unlearning import evaluate_finished, evaluate_original


@pytest.fixture
def subject(digits_inputs):
    original = digits_inputs.original
    model = original.build(digits_inputs.dataset, torch.device("cpu"))
    return EvaluationSubject(model, digits_inputs.dataset, digits_inputs.splits, original)


@pytest.fixture
def predicted(monkeypatch):
    """The parts that were predicted and not read."""
    parts = []
    once = EvaluationSubject.predictions_of

    def counted(self, model, part):
        parts.append(part)
        return once(self, model, part)

    monkeypatch.setattr(EvaluationSubject, "predictions_of", counted)
    return parts


def same(found, others):
    return all(
        np.array_equal(values, getattr(others[part], name))
        for part in PARTS
        for name, values in vars(found[part]).items()
    )


def again(subject):
    """The same model with nothing predicted yet."""
    return replace(subject, _known={})


def test_they_are_predicted_once_and_read_as_they_were(subject, tmp_path, predicted):
    first = kept_predictions(subject, "weights", tmp_path)
    assert predicted == list(PARTS)
    assert same(first, kept_predictions(again(subject), "weights", tmp_path))
    assert predicted == list(PARTS)


def test_those_of_forget_samples_say_which_they_are(subject, tmp_path):
    splits = make_splits(subject.dataset, ForgetRequest(samples=(1, 5, 8)), SplitConfig(), has_checkpoint=False)
    samples = replace(subject, splits=splits, _known={})
    first = kept_predictions(samples, "weights", tmp_path)
    assert first["train"].forget.sum() == len(splits.forget)
    assert same(first, kept_predictions(again(samples), "weights", tmp_path))


def test_damaged_ones_are_predicted_anew(subject, tmp_path, predicted):
    first = kept_predictions(subject, "weights", tmp_path)
    (path,) = (tmp_path / "predictions").iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert same(first, kept_predictions(again(subject), "weights", tmp_path))
    assert predicted == [*PARTS, *PARTS]
    assert path.read_bytes() != content


def test_whatever_they_depend_on_makes_them_others(subject, tmp_path, predicted):
    other = {
        "splits": make_splits(subject.dataset, ForgetRequest(classes=(4,)), SplitConfig(), has_checkpoint=False),
        "dataset": replace(subject.dataset, fingerprint="another"),
        "original": replace(subject.original, preprocessing=Preprocessing((0.4,), (0.3,))),
        "settings": subject.settings.model_copy(update={"max_train_images": 50}),
    }
    kept_predictions(subject, "weights", tmp_path)
    kept_predictions(again(subject), "other weights", tmp_path)
    for name, value in other.items():
        kept_predictions(replace(subject, _known={}, **{name: value}), "weights", tmp_path)
    assert len(predicted) == 6 * len(PARTS)
    assert len(list((tmp_path / "predictions").iterdir())) == 6


def test_those_of_a_users_own_model_are_not_kept(subject, tmp_path):
    own = replace(subject, original=replace(subject.original, name="my.package:network"))
    assert list(kept_predictions(own, "weights", tmp_path)) == list(PARTS)
    assert not list(tmp_path.iterdir())


def test_the_originals_figures_are_those_of_any_finished_model(digits_config, digits_inputs, predicted):
    model = digits_inputs.original.build(digits_inputs.dataset, torch.device("cpu"))
    expected = evaluate_finished(model, digits_inputs, digits_config)
    assert evaluate_original(digits_inputs, digits_config) == expected
    predicted.clear()
    assert evaluate_original(digits_inputs, digits_config) == expected
    assert predicted == []
