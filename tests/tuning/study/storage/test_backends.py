"""The Optuna study of a configuration."""

import warnings

import pytest

from tuning.config.trial_plan import TrialPlan
from tuning.study.reader import StudyReader
from tuning.study.storage.backends import open_optuna_study


@pytest.fixture
def begin(config, storage):
    """Starts the study, or opens it, as a driver does."""
    config = config.model_copy(update={"storage": storage})

    def start():
        config.directory.mkdir(parents=True, exist_ok=True)
        return open_optuna_study(TrialPlan.of(config), begin=True)[0]

    return start


def test_optunas_dashboard_gets_the_names_of_the_objectives_and_nobody_a_warning(begin, config):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study = begin()
    names = [objective.metric for objective in config.objectives]
    assert study.metric_names == names
    assert study.user_attrs["objectives"] == names
    assert begin().metric_names == names


def test_a_study_from_before_the_names_is_read_as_it_is(config, make_study, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr("optuna.Study.set_metric_names", lambda *_: None)
        make_study(config)
    journal = (config.directory / "journal.log").read_bytes()
    assert StudyReader(config).optuna_study().metric_names is None
    assert (config.directory / "journal.log").read_bytes() == journal
