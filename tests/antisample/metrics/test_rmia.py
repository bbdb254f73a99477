"""RMIA by hand, and where it does not apply."""

import numpy as np
import pytest

from antisample.data.forget_request import ForgetRequest
from antisample.errors import ConfigError
from antisample.inputs import request_data
from antisample.metrics import EvaluationConfig, Predictions
from antisample.metrics.rmia import ratio_to_references, rmia, scores_of


def predictions(forget, unseen):
    """One class; samples to forget come first."""
    confidences = np.array([*forget, *unseen], np.float32)
    probabilities = np.stack([confidences, 1 - confidences], axis=1)
    labels = np.zeros(len(confidences), np.int64)
    return Predictions(probabilities, -np.log(confidences), labels, np.arange(len(labels)) < len(forget))


def test_ratios_and_scores_by_hand():
    # Two references give 0.2 and 0.6: the mean is 0.4, and (1.3 * 0.4 + 0.7) / 2 = 0.61.
    ratios = ratio_to_references(np.array([0.61], np.float32), [np.array([0.2]), np.array([0.6])])
    assert ratios == pytest.approx([1.0], rel=1e-6)
    # 2 is at least twice 0.5 and 1; 0.9 is not even twice 0.5.
    assert scores_of(np.array([2.0, 0.9]), np.array([3.0, 1.0, 0.5, 2.0])).tolist() == [0.5, 0.0]


def test_samples_that_only_the_model_knows_are_told_and_others_are_not():
    references = [predictions([0.3] * 20, [0.3] * 60)] * 2
    told = rmia(predictions([0.9] * 20, [0.2] * 60), references, seed=0)
    assert told == {"rmia_auc": 1.0, "rmia_tpr": 1.0}
    alike = rmia(predictions([0.3] * 20, [0.3] * 60), references, seed=0)
    assert alike == {"rmia_auc": 0.5, "rmia_tpr": 0.0}


def test_what_every_network_knows_is_a_weaker_sign_than_what_the_model_alone_knows():
    target = predictions([0.6] * 20, [0.4] * 60)
    # 0.6 over (1.3 * 0.2 + 0.7) / 2 = 0.48 is 1.25; 0.4 over 0.48 is 0.83: not twice as much.
    assert rmia(target, [predictions([0.2] * 20, [0.2] * 60)], seed=0)["rmia_auc"] == 0.5
    assert rmia(target, [predictions([0.01] * 20, [0.8] * 60)], seed=0)["rmia_auc"] == 1


def test_it_is_refused_for_classes(digits_config, digits_inputs):
    asked = digits_config.model_copy(update={"evaluation": EvaluationConfig(final=("rmia",))})
    with pytest.raises(ConfigError, match=r"RMIA is defined for samples: .* is 0/0; remove `rmia` from"):
        request_data(asked, digits_inputs.dataset)


def test_too_few_samples_are_refused(digits_config, digits_inputs):
    samples = [int(each) for each in digits_inputs.splits.forget[:5]]
    asked = digits_config.model_copy(
        update={
            "forget": ForgetRequest(samples=samples),
            "evaluation": EvaluationConfig(final=("rmia",)),
        }
    )
    with pytest.raises(ConfigError, match="RMIA needs at least 10 samples to forget with twice as many validation"):
        request_data(asked, digits_inputs.dataset)
