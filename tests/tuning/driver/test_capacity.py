"""What a trial takes of the machines there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antisample.errors import ConfigError
from tuning.driver.capacity import Machine, TrialResources


def share(machines, cpus=1, gpus="auto", device="auto"):
    return TrialResources.of(machines, cpus, gpus, device, "cpus", "gpus")


def test_a_trial_takes_a_gpu_where_any_machine_has_one():
    assert share([Machine(4, 0), Machine(8, 2)]) == TrialResources(1, 1.0)
    assert share([Machine(4, 0)]) == TrialResources(1, 0.0)
    assert share([Machine(8, 2)], device="cpu") == TrialResources(1, 0.0)


def test_trials_at_once_are_counted_machine_by_machine():
    assert TrialResources(3, 0).slots([Machine(4, 0), Machine(5, 0), Machine(2, 0)]) == 2
    assert TrialResources(1, 0.25).slots([Machine(16, 1), Machine(2, 4), Machine(8, 0)]) == 6
    assert TrialResources(1, 2).slots([Machine(8, 3)]) == 1


def test_what_no_machine_has_is_refused_with_every_problem():
    with pytest.raises(ConfigError) as refused:
        share([Machine(4, 1), Machine(2, 0)], cpus=6, gpus=2)
    assert list(refused.value.problems) == [
        "`cpus` must be at most 4, the number of cores of the largest machine, but got 6.",
        "`gpus` must be at most 1, the number of GPUs of the largest machine, but got 2.",
    ]


def test_cores_and_gpus_must_be_on_one_machine():
    with pytest.raises(ConfigError, match="together"):
        share([Machine(8, 0), Machine(1, 2)], cpus=4, gpus=1)


def test_no_gpu_for_a_trial_is_refused_on_a_gpu():
    with pytest.raises(ConfigError, match="must be above 0"):
        share([Machine(8, 1)], gpus=0)


@given(
    st.lists(st.tuples(st.integers(1, 64), st.integers(0, 8)), min_size=1, max_size=5),
    st.integers(1, 8),
    st.sampled_from([0, 0.125, 0.25, 0.5, 1, 2]),
)
def test_the_trials_counted_fit(offers, cpus, gpus):
    machines = [Machine(*offer) for offer in offers]
    for machine in machines:
        at_once = TrialResources(cpus, gpus).slots([machine])
        assert at_once * cpus <= machine.cpus
        assert at_once * gpus <= machine.gpus
        assert (at_once + 1) * cpus > machine.cpus or (at_once + 1) * gpus > machine.gpus
