"""Starting from an earlier study."""

import pytest

from antisample.errors import ConfigError
from tuning.config.loading import parse_study
from tuning.study.attributes import FINGERPRINTS
from tuning.study.outcome import find_outcome
from tuning.study.study import Study
from tuning.study.warm_start import take_over


@pytest.fixture
def earlier(values, make_study, metrics):
    """A finished study, its file included, whose front is trials 1 and 2."""
    config = parse_study({**values, "name": "earlier"})
    study = make_study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    study.note(FINGERPRINTS, {"data": "a"})
    for key, forget, retain in (("a", 0.2, 0.7), ("b", 0.0, 0.8), ("c", 0.1, 0.9)):
        study.ask(key)
        study.complete(key, metrics(forget, retain), {})
    return study


def begin(values, make_study, data, **changes):
    study = make_study(parse_study({**values, **changes}))
    study.note(FINGERPRINTS, {"data": data})
    return study


def test_trials_of_the_same_task_are_known_to_the_sampler_and_counted_nowhere(values, make_study, earlier):
    study = begin(values, make_study, "a", sampler="tpe")
    found = take_over(study, earlier.config.directory)
    assert (found.same_problem, found.n) == (True, 3)
    assert study.records() == []
    assert study.ask("x").origin == "published ResNet9/mnist/100"
    again = Study(study.config)
    assert take_over(again, earlier.config.directory) == found
    shown = again.optuna_study().sampler.shown(again.optuna_study().get_trials())
    assert [trial.values for trial in shown[:3]] == [[0.2, 0.7], [0.0, 0.8], [0.1, 0.9]]
    assert [trial.params for trial in shown[:3]] == [record.params for record in earlier.records()]
    assert again.n_finished() == 0
    assert not find_outcome(again).front


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsga2", "qmc", "random"])
def test_every_sampler_suggests_with_trials_of_elsewhere(values, make_study, earlier, metrics, sampler):
    study = begin(values, make_study, "a", sampler=sampler, n_trials=6)
    take_over(study, earlier.config.directory)
    for key in map(str, range(6)):
        study.ask(key)
        study.complete(key, metrics(0.1, 0.8), {})
    assert study.n_finished() == 6


def test_the_front_of_another_task_is_tried_first_and_the_published_set_after_it(values, make_study, earlier):
    study = begin(values, make_study, "b")
    found = take_over(study, earlier.config.directory)
    assert (found.same_problem, found.n) == (False, 2)
    asked = [study.ask(key) for key in "abcd"]
    assert [record.origin for record in asked] == [
        "warm start earlier/1",
        "warm start earlier/2",
        "published ResNet9/mnist/100",
        "sampler",
    ]
    assert [record.params for record in asked[:2]] == [record.params for record in earlier.records()[1:]]


def test_a_front_that_a_driver_died_taking_over_is_tried_once(values, make_study, dying_study, earlier):
    study = begin(values, make_study, "b")
    with pytest.raises(SystemExit):
        take_over(dying_study(study.config, "warm_start"), earlier.config.directory)
    again = Study(study.config)
    assert take_over(again, earlier.config.directory).n == 2
    assert [again.ask(key).origin for key in "abcd"] == [
        "warm start earlier/1",
        "warm start earlier/2",
        "published ResNet9/mnist/100",
        "sampler",
    ]


def test_another_space_and_an_empty_study_are_refused(values, make_study, earlier):
    study = begin(values, make_study, "a", fixed={"p": 0.5})
    with pytest.raises(ConfigError, match="must have searched the same space"):
        take_over(study, earlier.config.directory)
    empty = begin({**values, "name": "empty"}, make_study, "a")
    (empty.config.directory / "study.yaml").write_text(empty.config.to_yaml())
    with pytest.raises(ConfigError, match="has no finished trial"):
        take_over(begin({**values, "name": "other"}, make_study, "a"), empty.config.directory)


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsga2"])
def test_samplers_know_which_trials_of_elsewhere_kept_the_constraints(values, make_study, metrics, sampler):
    limited = {
        **values,
        "constraints": [{"metric": "validation/retain_accuracy", "at_least": 0.75}],
        "fixed": {"batchnorm_mode": "eval"},
    }
    earlier = make_study(parse_study({**limited, "name": "earlier"}))
    (earlier.config.directory / "study.yaml").write_text(earlier.config.to_yaml())
    earlier.note(FINGERPRINTS, {"data": "a"})
    for key, retain in (("a", 0.7), ("b", 0.8)):
        earlier.ask(key)
        earlier.complete(key, metrics(0.1, retain), {})
    study = begin(limited, make_study, "a", sampler=sampler, n_trials=6)
    take_over(study, earlier.config.directory)
    shown = study.optuna_study().sampler.learned
    assert [next(iter(trial.constraints.values())) <= 0 for trial in shown] == [False, True]
    for key in map(str, range(6)):
        study.ask(key)
        study.complete(key, metrics(0.1, 0.8), {})
    assert study.n_finished() == 6


def test_trials_of_elsewhere_without_constraints_are_no_knowledge_where_there_are_some(values, make_study):
    study = begin(
        {**values, "constraints": [{"metric": "validation/retain_accuracy", "at_least": 0.75}]},
        make_study,
        "a",
        sampler="random",
    )
    params = study.ask("a").params
    study.add_prior_trials([{"params": params, "values": [0.1, 0.8]}])
    assert study.optuna_study().sampler.learned == []
