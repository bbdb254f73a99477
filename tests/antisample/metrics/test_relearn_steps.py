"""Relearning in steps: its curve, what it is trained on, and tricks that it is not taken in by."""

import dataclasses

import numpy as np
import pytest
import torch

from antisample.data.forget_request import ForgetRequest
from antisample.errors import ConfigError, DivergedError
from antisample.inputs import request_data
from antisample.metrics import EvaluationConfig, metric_names
from antisample.metrics.relearn_steps import (
    LABELS,
    STEPS,
    RelearnSteps,
    area,
    labelled_positions,
    relearn_curves,
)
from antisample.models.masked_outputs import masked_outputs
from antisample.unlearning import subject_of

CPU = torch.device("cpu")


@pytest.fixture
def subject(digits_inputs, digits_config):
    model = digits_inputs.original.build(digits_inputs.dataset, CPU)
    return subject_of(model, digits_inputs, digits_config)


def test_the_area_is_the_mean_on_a_logarithmic_axis():
    assert area(dict.fromkeys(STEPS, 0.4)) == pytest.approx(0.4)
    # Seven equal intervals: 0 to the middle of the curve, then 1, with one interval between.
    values = dict(zip(STEPS, [0, 0, 0, 0, 1, 1, 1, 1], strict=True))
    assert area(values) == pytest.approx((0.5 + 3) / 7)


def test_labels_are_50_training_images_of_each_class_the_forgotten_one_included(digits_inputs):
    dataset, splits = digits_inputs.dataset, digits_inputs.splits
    positions = labelled_positions(dataset, splits, 0)
    assert np.bincount(dataset.train.labels[positions]).tolist() == [LABELS] * 10
    assert len(np.unique(positions)) == len(positions)
    assert np.isin(positions, np.concatenate([splits.forget, splits.retain])).all()
    assert positions.tolist() != labelled_positions(dataset, splits, 1).tolist()


def test_a_mask_has_the_curve_of_the_original_and_so_has_another_head(subject):
    original = relearn_curves(subject)
    assert {part: list(curve) for part, curve in original.items()} == {
        "validation": list(STEPS),
        "test": list(STEPS),
    }
    masked = masked_outputs(subject.model, (3,), 10)
    assert relearn_curves(dataclasses.replace(subject, model=masked)) == original
    with torch.no_grad():
        subject.model.get_submodule("classifier.2").bias[3] = -1e6
    assert relearn_curves(subject) == original


def test_the_metrics_are_points_of_the_curve(subject):
    curve = relearn_curves(subject)["test"]
    assert RelearnSteps().compute(subject, "test") == {
        "relearn_0": curve[0],
        "relearn_8": curve[8],
        "relearn_32": curve[32],
        "relearn_64": curve[64],
        "relearn_area": area(curve),
    }
    assert curve[0] > 0.8


def test_a_network_whose_features_say_nothing_starts_by_chance_and_one_that_overflows_is_an_error(subject):
    with torch.no_grad():
        for parameter in subject.model.get_submodule("features").parameters():
            parameter.zero_()
    curve = relearn_curves(subject)["test"]
    assert curve[0] in (0.0, 1.0)  # all images have the same scores
    with torch.no_grad():
        subject.model.get_submodule("features.0").bias.fill_(torch.nan)
    with pytest.raises(DivergedError):
        relearn_curves(subject)


def test_samples_are_refused(digits_config, digits_inputs):
    asked = digits_config.model_copy(
        update={
            "forget": ForgetRequest(samples=[int(each) for each in digits_inputs.splits.forget[:20]]),
            "evaluation": EvaluationConfig(final=("relearn_steps",)),
        }
    )
    with pytest.raises(ConfigError, match="Relearning is defined for forgotten classes; remove `relearn_steps` from"):
        request_data(asked, digits_inputs.dataset)


def test_the_family_of_earlier_studies_still_counts_epochs():
    assert metric_names(("relearn",)) == ("validation/relearn_epochs",)
