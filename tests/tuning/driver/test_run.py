"""What `run_study` does before and after its search; searches themselves are in the integration tests."""

import pytest

from antisample.errors import ConfigError
from tuning.config.loading import parse_study
from tuning.driver.run import run_study


@pytest.fixture
def values(values, cache_dir):
    """A study that can be run."""
    return {
        **values,
        "data": {"source": "digits", "cache_dir": str(cache_dir)},
        "model": {"name": "SmallCNN", "recipe": {"epochs": 6, "batch_size": 64}},
        "device": "cpu",
        "confirm_seeds": 0,
        "log_model": False,
    }


def test_trials_that_were_interrupted_end_with_a_study_that_needs_them_no_more(
    values, make_study, metrics, report, runs_of
):
    config = parse_study(values)
    study = make_study(config)
    study.ask("a")
    study.report("a", report(1))
    study.complete("a", metrics(0.0, 0.8), {})
    left = study.ask("b")
    study.report("b", report(1))
    (config.directory / "study.yaml").write_text(config.to_yaml())
    run_study(config.model_copy(update={"n_trials": 1}))
    again = make_study(config)
    complete, failed = again.records()
    assert (complete.state, failed.state) == ("COMPLETE", "FAIL")
    assert failed.error == "Interrupted: the study is over."
    assert not again.failures_used_up()
    _, _, children = runs_of(config.mlflow_uri())
    assert {name: run.info.status for name, run in children.items()} == {"0": "FINISHED", "1": "FAILED"}
    retry = again.ask("c")
    assert (retry.params, retry.origin) == (left.params, "sampler, retry of 1")


def test_a_study_is_kept_only_with_the_warm_start_that_it_was_to_have(values, make_study, metrics):
    """Once it is kept it can be resumed, and `resume` knows of no warm start."""
    earlier = parse_study({**values, "name": "earlier", "fixed": {"p": 0.9}})
    other_space = make_study(earlier)
    (earlier.directory / "study.yaml").write_text(earlier.to_yaml())
    other_space.ask("a")
    other_space.complete("a", metrics(0.0, 0.8), {})
    config = parse_study(values)
    with pytest.raises(ConfigError, match="must have searched the same space"):
        run_study(config, warm_start=earlier.directory)
    assert not config.directory.exists()
