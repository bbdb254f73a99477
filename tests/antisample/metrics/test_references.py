"""Several retrained references: their seeds, their rows, and how far they are from each other."""

import numpy as np
import pytest
import torch

from antisample.config import UnlearnConfig
from antisample.errors import ConfigError
from antisample.inputs import load_inputs, reference_trainings
from antisample.metrics import PARTS, evaluate, summarise
from antisample.unlearning import evaluate_references, reference_floor, subject_of

CPU = torch.device("cpu")


def values_of(cache_dir, **evaluation):
    return {
        "data": {"source": "digits", "cache_dir": str(cache_dir)},
        "model": {"name": "SmallCNN", "recipe": {"epochs": 6, "batch_size": 64}},
        "forget": {"classes": [3]},
        "device": "cpu",
        "evaluation": evaluation,
    }


@pytest.fixture(scope="module")
def config(cache_dir):
    final = ["mia_efficacy", "retrained", "reference_similarity"]
    return UnlearnConfig.parse(values_of(cache_dir, final=final, reference_seeds=2))


@pytest.fixture(scope="module")
def inputs(config):
    return load_inputs(config)


def test_references_have_seeds_from_the_recipe_upwards_and_differ(inputs, config):
    assert [reference.seed for reference in inputs.references] == [0, 1]
    assert inputs.reference is inputs.references[0]
    first, second = (reference.predictions["test"] for reference in inputs.references)
    assert np.abs(first.probabilities - second.probabilities).max() > 0.01
    trainings = reference_trainings(config, inputs.dataset, inputs.splits, inputs.original)
    assert len({training.path() for training in trainings}) == 2
    assert all(training.is_kept() for training in trainings)


def test_each_has_the_final_metrics_but_for_the_distance_to_itself(inputs, config):
    rows = evaluate_references(inputs, config)
    for row, reference in zip(rows, inputs.references, strict=True):
        measured = summarise(reference.predictions["test"], (3,))
        assert row.values["test/retain_accuracy"] == measured["retain_accuracy"]
        assert row.values["test/forget_accuracy"] == 0
        assert "test/mia_efficacy" in row.values
        assert not any("retrained" in name or "cka" in name for name in row.values)


def test_the_floor_is_what_lies_between_two_of_them(inputs, config):
    floor = reference_floor(inputs, config)
    first, second = (reference.predictions["test"] for reference in inputs.references)
    agrees = first.probabilities.argmax(axis=1) == second.probabilities.argmax(axis=1)
    assert floor["test/retain_agreement_floor"] == pytest.approx(agrees[first.labels != 3].mean())
    assert 0 < floor["test/cka_reference_retain_floor"] < 1
    assert 0 <= floor["validation/retrained_gap_floor"] < 0.2
    original = subject_of(inputs.original.build(inputs.dataset, CPU), inputs, config)
    distances = evaluate(original, PARTS, ("retrained", "reference_similarity")).values
    assert {f"{name}_floor" for name in distances} == set(floor)
    assert distances["test/forget_js_distance"] > floor["test/forget_js_distance_floor"]


def test_one_reference_has_no_floor(cache_dir):
    alone = UnlearnConfig.parse(values_of(cache_dir, final=["retrained"]))
    inputs = load_inputs(alone)
    assert len(evaluate_references(inputs, alone)) == 1
    assert reference_floor(inputs, alone) == {}


@pytest.mark.parametrize(
    ("evaluation", "problem"),
    [
        ({"reference_seeds": 2}, "must name a family in `final` that compares with retrained references"),
        (
            {"final": ["retrained"], "reference_seeds": 5},
            "`evaluation.reference_seeds` must be less than or equal to 4, but got 5",
        ),
        (
            {"final": ["retrained"], "reference_seeds": 0},
            "`evaluation.reference_seeds` must be greater than or equal to 1, but got 0",
        ),
    ],
)
def test_numbers_of_references_that_make_no_sense_are_refused(cache_dir, evaluation, problem):
    with pytest.raises(ConfigError) as refusal:
        UnlearnConfig.parse(values_of(cache_dir, **evaluation))
    assert problem in str(refusal.value)


def test_a_single_reference_is_written_down_as_before_there_could_be_several(cache_dir):
    one = UnlearnConfig.parse(values_of(cache_dir, final=["retrained"]))
    two = UnlearnConfig.parse(values_of(cache_dir, final=["retrained"], reference_seeds=2))
    assert "reference_seeds" not in one.model_dump(mode="json")["evaluation"]
    assert two.model_dump(mode="json")["evaluation"]["reference_seeds"] == 2
    assert all(UnlearnConfig.parse(config.model_dump(mode="json")) == config for config in (one, two))
