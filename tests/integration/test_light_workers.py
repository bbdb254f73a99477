"""What a Ray worker loads: a real trial in an actor says what has been imported in its process."""

import os
import resource
import sys

import pytest
import ray
from ray import cloudpickle, tune

from cluster import local_ray
from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.worker.inputs import load_requests
from tuning.worker.messages import TrialAssignment, failure_in, report_in
from tuning.worker.trainable import UnlearnTrainable

pytestmark = pytest.mark.integration

NOT_FOR_WORKERS = (
    "optuna",
    "mlflow",
    "sqlalchemy",
    "matplotlib",
    "plotly",
    "tuning.study.storage",
    "tuning.study.study",
)


class Telling(UnlearnTrainable):
    """Says what its process has loaded."""

    def loaded(self):
        return os.getpid(), sorted(sys.modules), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_a_worker_runs_a_trial_without_the_search_library_the_tracker_and_the_storage(tmp_path):
    values = {
        "name": "light",
        "runs_dir": str(tmp_path),
        "memory": "none",
        "data": {"source": "digits", "cache_dir": str(tmp_path / "cache")},
        "model": {"name": "SmallCNN", "recipe": {"epochs": 2}},
        "forget": {"classes": [3]},
        "fixed": {"epochs": 2},
        "log_model": False,
    }
    plan = TrialPlan.of(parse_study(values))
    plan.config.directory.mkdir()
    inputs = load_requests(plan)
    trial = TrialAssignment(number=0, params=plan.starting_points[0][1], seeds=plan.trial_seeds)
    with local_ray(num_cpus=1):
        cloudpickle.register_pickle_by_value(sys.modules[__name__])
        trainable = tune.with_parameters(Telling, inputs=inputs, plan=plan.for_workers())
        worker = ray.remote(num_cpus=1)(trainable).remote(trial.to_config())
        results = [ray.get(worker.step.remote()) for _ in range(2)]
        process, modules, _ = ray.get(worker.loaded.remote())
    assert [failure_in(result) for result in results] == [None, None]
    assert report_in(results[-1], "").result.metrics["validation/retain_accuracy"] > 0.1, "a whole trial was run"
    assert process != os.getpid()
    assert "torch" in modules
    assert [name for name in NOT_FOR_WORKERS if name in modules] == []
