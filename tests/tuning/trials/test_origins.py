"""Where the parameters of trials come from."""

import pytest

from tuning.trials.origins import BY_HAND, ENQUEUED, SAMPLER, Origin


@pytest.mark.parametrize("text", ["published ResNet9/mnist/100", "defaults", "defaults, retry of 3"])
def test_what_the_study_gives_is_a_starting_point(text):
    assert Origin(text).is_starting_point


@pytest.mark.parametrize("origin", [SAMPLER, BY_HAND, ENQUEUED, Origin("warm start published/3")])
def test_nothing_else_is(origin):
    assert not origin.is_starting_point


def test_a_retry_of_a_retry_names_the_last_trial_alone():
    assert SAMPLER.retry(3).retry(7) == "sampler, retry of 7"
