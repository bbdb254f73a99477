"""Trials stopped early: what the study keeps of them, what samplers see, and constraints."""

from statistics import fmean

import optuna
import pytest
from optuna.trial import TrialState

from antisample.errors import ConfigError
from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.strategies.pruned_trials import PrunedAsComplete
from tuning.study.outcome import find_outcome


def step(number, forget, retain, *, replicate=0, last=True, elapsed_s=1.0):
    return {
        "step": number,
        "replicate": replicate,
        "elapsed_s": elapsed_s,
        "evaluation_s": 0.5,
        "train_loss": 0.1,
        "metrics": {"validation/forget_accuracy": forget, "validation/retain_accuracy": retain, "test/x": 1.0},
        "last": last,
    }


@pytest.fixture
def stopping(values):
    return parse_study({**values, "replicates": 3, "fidelity": {"reduction_factor": 2}, "n_trials": 6})


def test_a_loser_is_pruned_after_one_replicate_with_its_means(stopping, make_study):
    study = make_study(stopping)
    for key in "abc":
        study.ask(key)
    assert study.report("a", step(1, 0.1, 0.8))
    assert study.report("b", step(1, 0.05, 0.85))
    assert not study.report("c", step(1, 0.4, 0.7))
    assert not study.report("c", step(2, 0.0, 0.9)), "what is over stays over"
    record = study.records()[2]
    assert (record.state, record.values, record.fidelity) == ("PRUNED", None, 1)
    assert record.partial == {"validation/forget_accuracy": 0.4, "validation/retain_accuracy": 0.7, "elapsed_s": 1.0}
    assert study.n_finished() == 1, "what is stopped counts"
    assert not find_outcome(study).front


def test_means_and_standard_errors_run_over_the_replicates(stopping, make_study):
    study = make_study(parse_study({**stopping.model_dump(), "replicates": 5, "fidelity": {"min": 2}}))
    for key, forget in zip("abcd", (0.03, 0.02, 0.01, 0.4), strict=True):
        study.ask(key)
        assert study.report(key, step(1, 0.2, 0.8, last=False))
        assert study.report(key, step(2, 0.2, 0.8))
        assert study.report(key, step(3, forget, 0.6, replicate=1, elapsed_s=3.0)) == (key != "d"), key
    assert study.records()[3].partial["validation/forget_accuracy"] == pytest.approx(0.3)
    assert study.records()[3].partial_error["validation/forget_accuracy"] == pytest.approx(0.1)
    assert study.records()[3].partial["elapsed_s"] == 1.5


def test_the_starting_point_is_never_stopped(stopping, make_study):
    study = make_study(stopping)
    study.ask("a")
    study.ask("b")
    study.report("b", step(1, 0.0, 0.9))
    assert study.report("a", step(1, 0.9, 0.1))


def test_a_new_driver_knows_who_stands_on_the_rungs(stopping, make_study):
    first = make_study(stopping)
    for key in "ab":
        first.ask(key)
    first.report("a", step(1, 0.1, 0.8))
    first.report("b", step(1, 0.05, 0.85))
    second = make_study(stopping)
    for key in "xyz":
        second.ask(key)
    assert second.records()[2].state == "RUNNING"
    assert not second.report("z", step(1, 0.4, 0.7))


def test_samplers_see_stopped_trials_as_finished_with_their_means(stopping, make_study):
    study = make_study(stopping)
    for key in "abc":
        study.ask(key)
        study.report(key, step(1, {"a": 0.1, "b": 0.05, "c": 0.4}[key], 0.7))
    inner = study.optuna_study()
    view = PrunedAsComplete(inner, inner.sampler.shown)
    (seen,) = view.get_trials(states=(TrialState.COMPLETE,))
    assert (seen.number, seen.values) == (2, [0.4, 0.7])
    assert inner.get_trials()[2].state == TrialState.PRUNED


def test_with_epochs_stopped_trials_look_as_bad_as_the_worst(values, make_study, metrics):
    config = parse_study({**values, "fidelity": {"attribute": "epochs"}, "n_trials": 6})
    assert "epochs" not in TrialPlan.of(config).space.parameters
    study = make_study(config)
    for key in "abc":
        study.ask(key)
    assert study.report("a", step(1, 0.5, 0.5, last=False))
    study.complete("a", metrics(0.3, 0.6), {})
    assert study.report("b", step(1, 0.1, 0.8, last=False))
    assert not study.report("c", step(1, 0.2, 0.7, last=False))
    inner = study.optuna_study()
    shown = inner.sampler.shown(inner.get_trials())
    assert shown[2].values == [0.3, 0.6]


@pytest.mark.parametrize("sampler", ["tpe", pytest.param("gp", marks=pytest.mark.slow), "nsga2"])
def test_samplers_learn_from_stopped_trials(stopping, make_study, sampler):
    config = parse_study({**stopping.model_dump(), "sampler": sampler, "n_trials": 24})
    study = make_study(config)
    for number in range(24):
        p = study.ask(str(number)).params["p"]
        report = step(1, abs(p - 0.2), 0.9 - abs(p - 0.2), elapsed_s=100.0)
        if study.report(str(number), report):
            study.complete(str(number), {**report["metrics"], "validation/forget_confidence": abs(p - 0.2)}, {})
    records = study.records()
    assert sum(record.state == "PRUNED" for record in records) >= 2
    early, late = (fmean(abs(r.params["p"] - 0.2) for r in part) for part in (records[:8], records[16:]))
    assert late < early


def test_constraints_reach_sampler_and_front(values, make_study, metrics):
    limits = [{"metric": "validation/retain_accuracy", "at_least": 0.78}, {"metric": "elapsed_s", "at_most": 60}]
    study = make_study(parse_study({**values, "constraints": limits}))
    for key, forget, retain, seconds in (("a", 0.0, 0.7, 1.0), ("b", 0.1, 0.8, 1.0), ("c", 0.0, 0.9, 61.0)):
        study.ask(key)
        study.report(key, step(1, forget, retain, elapsed_s=seconds))
        study.complete(key, metrics(forget, retain), {})
    outcome = find_outcome(study)
    assert [record.number for record in outcome.front] == [1]
    trials = study.optuna_study().get_trials()
    assert trials[0].constraints["validation/retain_accuracy >= 0.78"] == pytest.approx(0.08)
    assert trials[2].constraints["elapsed_s <= 60"] == pytest.approx(1.0)
    assert [trial.number for trial in study.optuna_study().best_trials] == [1]


def test_without_a_trial_that_keeps_the_constraints_the_outcome_says_so(values, make_study, metrics):
    limits = [{"metric": "validation/retain_accuracy", "at_least": 0.78}]
    study = make_study(parse_study({**values, "constraints": limits}))
    study.ask("a")
    study.complete("a", metrics(0.0, 0.7), {})
    assert find_outcome(study).reason == "No finished trial satisfies validation/retain_accuracy >= 0.78."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"fidelity": {"min": 3}, "replicates": 3},
            "`fidelity.min` must be below `replicates`, which is 3, but got 3",
        ),
        ({"fidelity": {"attribute": "epochs", "min": 5}}, "below the method's epochs, which are 5, but got 5"),
        ({"fidelity": {"attribute": "epochs"}, "replicates": 2}, "`replicates` must be 1 with fidelity epochs"),
        (
            {"fidelity": {"attribute": "epochs"}, "method": "unsir", "published": []},
            "for a method that has no `epochs`",
        ),
        ({"fidelity": {"reduction_factor": 1}}, "`fidelity.reduction_factor` must be greater than or equal to 2"),
        ({"constraints": [{"metric": "elapsed_s"}]}, "must have `at_least` or `at_most`"),
        ({"constraints": [{"metric": "test/retain_accuracy", "at_least": 1}]}, "must be a validation metric"),
        (
            {"constraints": [{"metric": "validation/tow", "at_least": 1}]},
            "The constraint on 'validation/tow' cannot be checked",
        ),
    ],
)
def test_refusals(values, changes, message):
    with pytest.raises(ConfigError) as caught:
        parse_study({**values, **changes})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("sampler", "slow", "gives_way"),
    [("gp", "sampler", True), ("random", "sampler", False), ("gp", "storage", False)],
)
def test_a_slow_sampler_gives_way_to_tpe_with_a_notice(
    values, make_study, metrics, monkeypatch, caplog, sampler, slow, gives_way
):
    study = make_study(parse_study({**values, "sampler": sampler, "n_trials": 20}))
    now = [0.0]

    def takes_a_second(function):
        def slower(*args, **kwargs):
            now[0] += 1
            return function(*args, **kwargs)

        return slower

    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    inside = study.optuna_study()
    part, name = {
        "sampler": (inside.sampler.sampler, "before_trial"),
        "storage": (inside._storage, "set_trial_param"),
    }[slow]
    monkeypatch.setattr(part, name, takes_a_second(getattr(part, name)))
    for number in range(8):
        study.ask(str(number))
        study.report(str(number), step(1, 0.1, 0.8))
        study.complete(str(number), metrics(0.1, 0.8), {})
    assert ("switching to tpe" in caplog.text) == gives_way
    assert isinstance(study.optuna_study().sampler.sampler, optuna.samplers.TPESampler) == gives_way
