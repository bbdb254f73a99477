"""Scheduling on GPUs where there is none: Ray hands out two that exist by name only."""

import json
import os
import time

import overhead_trials
import pytest
import ray
from overhead_trials import StudyTrial, study_config
from ray import cloudpickle

from cluster import local_ray
from tuning.driver.capacity import Machine, TrialResources
from tuning.driver.gpu_sharing import share_gpus
from tuning.driver.machines import live_slots, machines
from tuning.driver.search import search
from tuning.study.attributes import TRIAL_GPU_MEMORY
from tuning.study.study import Study

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_two_trials_share_each_gpu_and_none_sees_another_one(tmp_path):
    seen = tmp_path / "seen"
    seen.mkdir()
    cloudpickle.register_pickle_by_value(overhead_trials)

    class GpuTrial(StudyTrial):
        """Writes down which GPU it was given, and when; the first four wait for each other."""

        def step(self):
            begun = time.time()
            (seen / f"{self._trial.number}.begun").touch()
            while len(list(seen.glob("*.begun"))) < 4 and time.time() < begun + 100:
                time.sleep(0.1)
            result = super().step()
            note = {"gpu": os.environ.get("CUDA_VISIBLE_DEVICES"), "begun": begun, "ended": time.time()}
            (seen / f"{self._trial.number}.json").write_text(json.dumps(note))
            return result

    config = study_config(tmp_path, 12, "none", "random")
    config.directory.mkdir(parents=True)
    with local_ray(num_cpus=4, num_gpus=2):
        assert machines() == [Machine(4, 2)]
        share = TrialResources.of(machines(), 1, 0.5, "auto", "cpus", "gpus")
        assert search(Study(config), GpuTrial, share, live_slots(share, None))
    trials = [json.loads(path.read_text()) for path in sorted(seen.glob("*.json"))]
    assert len(trials) == 12
    assert {trial["gpu"] for trial in trials} == {"0", "1"}
    first = [trial["gpu"] for trial in sorted(trials, key=lambda trial: trial["begun"])[:4]]
    assert sorted(first) == ["0", "0", "1", "1"]
    for trial in trials:
        middle = (trial["begun"] + trial["ended"]) / 2
        sharing = [o for o in trials if o["gpu"] == trial["gpu"] and o["begun"] <= middle <= o["ended"]]
        assert len(sharing) <= 2


def test_memory_that_was_measured_on_another_gpu_is_measured_again(tmp_path):
    config = study_config(tmp_path, 4, "none", "random")
    config.directory.mkdir(parents=True)
    with local_ray(num_cpus=1, num_gpus=1):
        study, whole = Study(config), TrialResources(1, 1)
        study.note(TRIAL_GPU_MEMORY, [2**30, 80 * 2**30])
        assert share_gpus(study, ray.put(()), whole) == whole
    assert study.noted(TRIAL_GPU_MEMORY) is None, "there is no GPU here, so none could be measured"
