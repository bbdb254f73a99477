"""How many trials share a GPU."""

from pathlib import Path

import pytest
import torch

from tuning.config.loading import load_study
from tuning.config.trial_plan import TrialPlan
from tuning.driver.gpu_sharing import GpuMemory
from tuning.worker.inputs import load_requests
from tuning.worker.tasks import measure_trial_memory

GIB = 2**30


@pytest.mark.parametrize(
    ("used", "total", "at_once"),
    [(2, 80, 8), (10, 80, 7), (30, 80, 2), (37, 80, 1), (79, 80, 1), (5, 16, 2)],
)
def test_as_many_trials_share_a_gpu_as_its_memory_holds(used, total, at_once):
    share = GpuMemory(used * GIB, total * GIB).share()
    assert share == 1 / at_once
    assert at_once == 1 or at_once * used <= 0.9 * total


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_trial_of_the_demo_is_measured_on_a_gpu():
    study = load_study(Path("studies/demo.yaml"))
    used, total = measure_trial_memory(load_requests(TrialPlan.of(study)), TrialPlan.of(study))
    assert 0 < used < total
    assert GpuMemory(used, total).share() == 1 / 8
