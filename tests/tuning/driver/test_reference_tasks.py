"""References trained as Ray tasks."""

import pytest

from antisample.config import UnlearnConfig
from antisample.inputs import load_inputs, reference_trainings
from cluster import ray_of_this_process
from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.driver.capacity import TrialResources
from tuning.driver.reference_tasks import ReferenceTasks
from tuning.worker.inputs import baseline_metrics, load_requests


@pytest.fixture
def config(values, tmp_path):
    """A study with two references and a cache of its own."""
    return parse_study(
        {
            **values,
            "data": {"source": "digits", "cache_dir": str(tmp_path / "cache")},
            "model": {"name": "SmallCNN", "recipe": {"epochs": 2, "batch_size": 128}, "accept_original": True},
            "evaluation": {"final": ["retrained"], "reference_seeds": 2},
            "device": "cpu",
        }
    )


def no_ray():
    raise AssertionError("Ray is not needed")


@pytest.mark.integration
def test_both_are_trained_as_tasks_with_progress_and_found_afterwards(config, tmp_path):
    told, said = [], []
    plan = TrialPlan.of(config)

    def load():
        with ReferenceTasks(
            config, TrialResources(1, 0), launch, lambda *epoch: told.append(epoch), said.append
        ) as tasks:
            return load_requests(plan, train_references=tasks)

    launch = ray_of_this_process
    (inputs, *_) = load()
    assert [(done, of) for done, of, _ in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(list((tmp_path / "cache" / "models").glob("retrained-*.safetensors"))) == 2
    assert said == ["Training 2 retrained references, 4 epochs in all"]
    launch = no_ray
    (again, *_) = load()
    assert [each.elapsed_s for each in again.references] == [each.elapsed_s for each in inputs.references]
    rows = baseline_metrics(plan, (inputs,))
    assert list(rows) == ["mask", "untrained", "reference 1", "reference 2", "floor"]
    assert "validation/retrained_gap_floor" in rows["floor"]


def test_a_single_reference_is_left_to_the_driver(cache_dir):
    one = UnlearnConfig.parse(
        {
            "data": {"source": "digits", "cache_dir": str(cache_dir)},
            "model": {"name": "SmallCNN", "recipe": {"epochs": 6, "batch_size": 64}},
            "forget": {"classes": [3]},
            "evaluation": {"final": ["retrained"]},
            "device": "cpu",
        }
    )
    inputs = load_inputs(one)
    trainings = reference_trainings(one, inputs.dataset, inputs.splits, inputs.original)
    assert len(trainings) == 1
    with ReferenceTasks(None, TrialResources(1, 0), no_ray, print, print) as tasks:
        tasks(trainings)
