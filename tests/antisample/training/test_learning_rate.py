import math

import pytest
import torch

from antisample.training.learning_rate import LearningRate, Schedule


def test_a_cosine_falls_from_the_peak_towards_zero():
    schedule = Schedule(0.4, 100, "cosine")
    rates = [schedule.rate(step) for step in range(100)]
    assert rates[0] == 0.4
    assert rates[50] == pytest.approx(0.2)
    assert rates[25] == pytest.approx(0.2 * (1 + math.sqrt(0.5)))
    assert 0 < rates[-1] < 0.001
    assert rates == sorted(rates, reverse=True)
    assert not schedule.is_constant


def test_a_warm_up_rises_to_the_peak_in_its_share_of_the_steps():
    schedule = Schedule(1.0, 20, "constant", warmup=0.2)
    assert [schedule.rate(step) for step in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])
    assert Schedule(1.0, 20, "cosine", warmup=0.2).rate(4) == 1.0


def test_by_default_the_rate_is_constant():
    assert Schedule(0.1, 5).is_constant
    assert {Schedule(0.1, 5).rate(step) for step in range(5)} == {0.1}


def test_a_rate_on_the_device_is_changed_in_place():
    rate = LearningRate(0.1)
    rate.keep_on(torch.device("cpu"))
    tensor = rate.value
    rate.set(0.5)
    assert rate.value is tensor
    assert float(tensor) == 0.5
