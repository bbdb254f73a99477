"""Linear CKA of cases that can be worked out by hand, and of networks."""

import dataclasses

import numpy as np
import pytest
import torch

from antisample.metrics import EvaluationSubject, RetrainedReference
from antisample.metrics.base import StageFeatures
from antisample.metrics.similarity import (
    MOST_IMAGES,
    ReferenceSimilarity,
    Similarity,
    known_features,
    linear_cka,
    similarity_features,
)

CPU = torch.device("cpu")
# Centred columns of four images that are orthogonal to each other, of length 2.
FIRST, SECOND = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.float32).T


def columns(*values):
    return np.stack(values, axis=1).astype(np.float32)


class TestLinearCka:
    def test_it_is_one_for_the_same_rotated_shifted_or_scaled(self):
        features = columns(FIRST, SECOND)
        turned = features @ np.array([[0.6, -0.8], [0.8, 0.6]], np.float32)
        for same in (features, features + 5, 1e20 * features, turned):
            assert linear_cka(features, same) == pytest.approx(1, abs=1e-6)

    def test_it_is_zero_for_orthogonal_features_and_for_constant_ones(self):
        assert linear_cka(columns(FIRST), columns(SECOND)) == pytest.approx(0)
        assert linear_cka(columns(FIRST), np.full((4, 3), 0.1, np.float32)) == 0

    def test_a_case_by_hand(self):
        # X = (u, v), Y = (u): |Y'X|^2 = 16, |X'X| = sqrt(32), |Y'Y| = 4.
        assert linear_cka(columns(FIRST, SECOND), columns(FIRST)) == pytest.approx(1 / np.sqrt(2))


@pytest.fixture
def subject(digits_inputs):
    model = digits_inputs.original.build(digits_inputs.dataset, CPU)
    return EvaluationSubject(model, digits_inputs.dataset, digits_inputs.splits, digits_inputs.original)


def test_the_original_is_like_itself_and_an_untrained_network_is_less_so(subject, digits_inputs):
    assert list(Similarity().compute(subject, "test").values()) == pytest.approx([1] * 4)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        untrained = digits_inputs.original.untrained(digits_inputs.dataset)
    values = Similarity().compute(dataclasses.replace(subject, model=untrained), "test")
    assert 0 < values["cka_original_forget_last"] < 0.95
    assert 0 < values["cka_original_retain_last"] < 0.95


def test_what_is_known_of_the_original_gives_the_same(subject):
    known = dataclasses.replace(subject, original_features=known_features(subject))
    assert Similarity().compute(known, "validation") == Similarity().compute(subject, "validation")


def test_figures_are_means_over_the_stages_and_those_of_the_last(subject):
    own = similarity_features(subject, subject.model, "test")
    assert [len(features) for features in own.forget] == [37] * 3
    assert all(len(features) == len(own.retain[0]) <= MOST_IMAGES for features in own.retain)
    constant = np.ones_like(own.forget[0])
    other = StageFeatures((constant, *own.forget[1:]), (*own.retain[:2], np.zeros_like(own.retain[2])))
    reference = RetrainedReference({}, 1.0, 0, {"test": other})
    values = ReferenceSimilarity().compute(dataclasses.replace(subject, reference=reference), "test")
    assert values == {
        "cka_reference_forget": pytest.approx(2 / 3),
        "cka_reference_retain": pytest.approx(2 / 3),
        "cka_reference_forget_last": pytest.approx(1),
        "cka_reference_retain_last": 0,
    }
