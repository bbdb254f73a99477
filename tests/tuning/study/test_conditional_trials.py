"""Studies whose parameters depend on each other: what is suggested, enqueued, adopted and learned from."""

import warnings

import optuna
import pytest

from antisample.errors import ConfigError
from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.strategies.samplers import distributions
from tuning.study.attributes import FINGERPRINTS
from tuning.study.warm_start import take_over
from tuning.trials.origins import Origin

SPACE = """method: finetune
parameters:
  epochs: {low: 1, high: 6, integer: true, why: w, when: {batchnorm_mode: train}}
  unlearn_scale_lr: {low: 0.1, high: 10, log: true, why: w}
  batchnorm_mode: {choices: [eval, train], why: w}
"""


@pytest.fixture
def values(values, tmp_path):
    (tmp_path / "own.yaml").write_text(SPACE)
    return {**values, "method": "finetune", "published": [], "space": str(tmp_path / "own.yaml")}


def fits(params):
    return ("epochs" in params) == (params["batchnorm_mode"] == "train")


@pytest.mark.parametrize("sampler", ["auto", "gp", "nsga2", "random"])
def test_only_what_counts_is_suggested_with_several_trials_under_way(values, make_study, metrics, sampler):
    study = make_study(parse_study({**values, "sampler": sampler, "n_trials": 14}))
    waiting, asked = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("error", optuna.exceptions.ExperimentalWarning)
        while (record := study.ask(str(len(asked)))) is not None or waiting:
            if record is not None:
                asked.append(record.params)
                waiting.append(str(len(asked) - 1))
            if len(waiting) == 3 or record is None:
                key = waiting.pop(0)
                params = asked[int(key)]
                study.complete(key, metrics(1 / params.get("epochs", 5), 1 - params["unlearn_scale_lr"] / 20), {})
    assert len(asked) == 14
    assert all(map(fits, asked))
    assert len({"epochs" in params for params in asked}) == 2
    assert all(record.params == params for record, params in zip(study.records(), asked, strict=True))


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        (
            {"epochs": 2, "batchnorm_mode": "eval"},
            "`epochs` can only be given together with `batchnorm_mode` = 'train'",
        ),
        ({"epochs": 2}, "`epochs` can only be given together with `batchnorm_mode` = 'train'"),
        ({"epochs": 2, "batchnorm_mode": "train"}, None),
        ({"batchnorm_mode": "eval"}, None),
        ({"batchnorm_mode": "train"}, None),
    ],
)
def test_what_is_enqueued_must_count(values, make_study, params, problem):
    study = make_study(parse_study({**values, "n_trials": 2}))
    study.enqueue(params, Origin("enqueued"))
    record = study.ask("a")
    first = study.records()[0]
    assert first.error is None if problem is None else problem in first.error
    assert record is not None
    assert fits(record.params)


def test_a_driver_that_died_while_it_asked_leaves_a_trial_that_is_completed(values, make_study):
    study = make_study(parse_study(values))
    trial = study.optuna_study().ask()
    trial.suggest_categorical("batchnorm_mode", ["eval", "train"])
    adopted = make_study(study.config).ask("again")
    assert (adopted.number, fits(adopted.params)) == (0, True)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"batchnorm_mode": "eval", "unlearn_scale_lr": 1.0}, None),
        ({"batchnorm_mode": "train", "unlearn_scale_lr": 1.0}, "`epochs` is missing"),
        ({"batchnorm_mode": "eval", "unlearn_scale_lr": 1.0, "epochs": 2}, "`epochs` can only be given together"),
    ],
)
def test_the_sampler_learns_from_added_trials_whose_parameters_count(values, make_study, params, reason):
    study = make_study(parse_study(values))
    searched = {name: distributions(study.space)[name] for name in params}
    study.optuna_study().add_trial(
        optuna.trial.create_trial(params=params, distributions=searched, values=[0.1, 0.8])
    )
    (record,) = study.by_hand()
    assert record.error is None if reason is None else reason in record.error


@pytest.mark.parametrize("data", ["a", "b"])
def test_a_warm_start_takes_over_what_counts(values, make_study, metrics, data):
    earlier = make_study(parse_study({**values, "name": "earlier", "n_trials": 6}))
    (earlier.config.directory / "study.yaml").write_text(earlier.config.to_yaml())
    earlier.note(FINGERPRINTS, {"data": "a"})
    for key in "abcdef":
        earlier.ask(key)
        earlier.complete(key, metrics(0.1, 0.8), {})
    study = make_study(parse_study({**values, "sampler": "tpe"}))
    study.note(FINGERPRINTS, {"data": data})
    take_over(study, earlier.config.directory)
    assert all(fits(study.ask(key).params) for key in "abcd")


def test_starting_points_and_fixed_values_follow_conditions(values):
    def plan(**changes):
        return TrialPlan.of(parse_study({**values, **changes}))

    assert plan().starting_points[0][1] == {"unlearn_scale_lr": 1.6, "batchnorm_mode": "eval"}
    assert set(plan(fixed={"batchnorm_mode": "eval"}).space.parameters) == {"unlearn_scale_lr"}
    train = plan(fixed={"batchnorm_mode": "train"})
    assert set(train.space.parameters) == {"epochs", "unlearn_scale_lr"}
    assert not train.space.has_conditions
    both = plan(fixed={"epochs": 2})
    assert both.unlearn_config({"batchnorm_mode": "train", "unlearn_scale_lr": 1.0}, 0).method.epochs == 2
    assert both.unlearn_config({"batchnorm_mode": "eval", "unlearn_scale_lr": 1.0}, 0).method.epochs == 5
    with pytest.raises(ConfigError, match="nothing to search; epochs would only count with other values"):
        plan(fixed={"batchnorm_mode": "eval", "unlearn_scale_lr": 1.0})
