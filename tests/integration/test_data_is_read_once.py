"""Data and original model are in Ray's object store once, and every worker maps them from there."""

import sys

import numpy as np
import pytest
import ray
from bench_data import compared
from ray import cloudpickle

from antisample.inputs import UnlearnInputs
from cluster import local_ray

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def _places(inputs: UnlearnInputs) -> dict[str, tuple[str, bool]]:
    """Which mapped file holds each array, and whether it can be written to."""
    weights = {f"weights {name}": tensor.numpy() for name, tensor in inputs.original.state_dict.items()}
    arrays = {
        "train": inputs.dataset.train.images,
        "test": inputs.dataset.test.images,
        "labels": inputs.dataset.train.labels,
        "retain": inputs.splits.retain,
        "neighbours": inputs.neighbours[3].farthest,
        **{name: values for name, values in weights.items() if values.ndim},
    }
    with open("/proc/self/maps") as file:  # noqa: PTH123  (no regular file)
        lines = [line.split(maxsplit=5) for line in file]
    ranges = [(*(int(end, 16) for end in line[0].split("-")), line[5].strip()) for line in lines if len(line) > 5]

    def place(array: np.ndarray) -> str:
        address = array.__array_interface__["data"][0]
        return next((name for start, end, name in ranges if start <= address < end), "memory of its own")

    return {name: (place(array), array.flags.writeable) for name, array in arrays.items()}


def test_workers_map_all_arrays_of_a_study_read_only(digits_inputs):
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not find the tests' folders
    with local_ray(num_cpus=1):
        shared = ray.put(digits_inputs)
        found = ray.get(ray.remote(_places).remote(shared))
    own = {name: place for name, place in found.items() if "plasma" not in place[0]}
    assert not own
    assert {name for name, (_, writeable) in found.items() if writeable and not name.startswith("weights")} == set()


def test_more_trials_read_no_more_data(tmp_path):
    study = {
        "data": {"source": "digits", "image_size": 100, "cache_dir": "cache"},
        "model": {"name": "SmallCNN", "recipe": {"epochs": 1}},
        "forget": {"classes": [3]},
        "fixed": {"epochs": 1, "retain_fraction": 0.1},
        "resources": {"max_concurrent": 1},
    }
    found = compared(tmp_path, study, few=2, more=8)
    assert found["data"] > 15
    assert [len(run["workers"]) for run in found["runs"]] == [1, 1]
    assert found["read_per_trial"] < found["data"] / 20
    assert all(use["cache"] < found["data"] / 20 for run in found["runs"] for use in run["workers"])
    assert all(run["driver"]["cache"] > found["data"] / 2 for run in found["runs"]), "the driver maps it, and tells"
    assert all(use["shared"] > found["data"] / 2 for run in found["runs"] for use in run["workers"])
