"""Applying a trial of a study: what is done once more is what the trial did."""

import pytest

from tuning.apply import trial_config


@pytest.fixture
def study(config, make_study, metrics):
    """A trial whose batch was halved twice, and one whose batch never was."""
    study = make_study(config)
    for key, halvings in enumerate((2, 0)):
        study.ask(str(key))
        study.complete(str(key), metrics(0.0, 0.8), {}, batch_halvings=halvings)
    return study


def test_a_trial_is_applied_with_the_batch_that_it_ended_with(study):
    request = study.config.forget[0]
    halved, whole = (trial_config(study, record, request, "")[0] for record in study.records())
    assert (halved.method.batch_size, whole.method.batch_size) == (32, 128)
    assert (halved.evaluation.batch_size, whole.evaluation.batch_size) == (125, 500)
