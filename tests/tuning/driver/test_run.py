"""What `run_study` does before and after its search; searches themselves are in the integration tests."""

import shutil
from functools import partial

import pytest

from antisample.errors import ConfigError
from tuning.config.loading import parse_study
from tuning.driver.beginning import begin
from tuning.driver.capacity import TrialResources
from tuning.driver.run import run_study
from tuning.study.attributes import MEMORY
from tuning.study.kept_settings import as_begun
from tuning.study.progress_listener import SilentProgress
from tuning.study.storage.lease import held_lease, lease_backend
from tuning.views.report import write_report
from tuning.worker.inputs import load_requests


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


class Saying(SilentProgress):
    """Keeps what is said."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        """See `ProgressListener`."""
        self.lines.append(text)


def begun(config, warm_start=None):
    """What a driver says when it begins or continues a study, the study, and its first four suggestions."""
    said, config = Saying(), as_begun(config)
    config.directory.mkdir(parents=True, exist_ok=True)
    load = partial(load_requests, listener=said, train_references=lambda _: None)
    with held_lease(lease_backend(config)) as lease:
        study, _ = begin(config, lease, TrialResources(1, 0), said, warm_start, load)
        tried = [(str(record.origin), record.params) for record in map(study.ask, "abcd")]
    return [line for line in said.lines if "memory" in line], study, tried


def test_a_study_without_history_begins_with_what_is_packaged_and_the_same_in_every_empty_folder(values, tmp_path):
    runs = []
    for folder in ("one", "two"):
        values |= {"memory": "auto", "recipes": True, "runs_dir": str(tmp_path / folder), "n_trials": 9}
        runs.append(begun(parse_study(values)))
    (said, study, tried), (said_again, _, tried_again) = runs
    assert (said, tried) == (said_again, tried_again)
    assert len(said) == 1
    assert said[0].startswith("From memory: 5 configurations that did best in ")
    assert [origin.split()[0] for origin, _ in tried] == ["published", "memory", "memory", "memory"]
    assert study.config.recipes == (), "memory takes their place"
    write_report(study, tmp_path / "report.html")
    assert said[0].removeprefix("From memory: ") in (tmp_path / "report.html").read_text()
    other = parse_study({**values, "name": "other", "seed": 7})
    shutil.copytree(study.config.directory, tmp_path / "two" / "neighbour")
    again, study, _ = begun(parse_study(values))
    assert again == [], "nothing is looked up when it goes on"
    assert study.noted(MEMORY)["configurations"][0]["origin"] == tried[1][0]
    assert begun(other)[2][:4] == tried[:4], "a study of the same request is no evidence"


def test_a_warm_start_takes_the_place_of_memory(values, make_study, metrics):
    config = parse_study({**values, "name": "earlier"})
    earlier = make_study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    earlier.ask("a")
    earlier.complete("a", metrics(0.0, 0.8), {})
    said, study, tried = begun(parse_study({**values, "memory": "auto"}), config.directory)
    assert (said, study.noted(MEMORY)) == ([], None)
    assert tried[0][0] == "warm start earlier/0"
