import pytest
from optuna.trial import TrialState

from antisample.errors import ConfigError
from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.strategies.samplers import distributions
from tuning.study.attributes import ID
from tuning.study.directory import open_study
from tuning.trust.consent import remember_study
from tuning.trust.study_id import remember_id


@pytest.fixture
def values(values, storage):
    return {**values, "storage": storage}


def step(number=1, forget=0.1, retain=0.8):
    return {
        "step": number,
        "replicate": 0,
        "elapsed_s": float(number),
        "evaluation_s": 0.5,
        "train_loss": 0.1,
        "metrics": {"validation/forget_accuracy": forget, "validation/retain_accuracy": retain},
    }


def states(study):
    return [record.state for record in study.records()]


def test_the_published_set_is_asked_first(config, driven_study):
    study = driven_study(config)
    first, second = study.ask("a"), study.ask("b")
    assert (first.number, first.origin) == (0, "published ResNet9/mnist/100")
    assert first.params["unlearn_scale_lr"] == 1.6
    assert (second.number, second.origin) == (1, "sampler")
    assert first.seeds == second.seeds == tuple(TrialPlan.of(config).trial_seeds)


def test_asking_twice_with_one_key_gives_one_trial(config, driven_study):
    study = driven_study(config)
    assert study.ask("a") == study.ask("a")
    assert len(study.records()) == 1


def test_a_finished_trial_keeps_its_values_steps_and_metrics(config, driven_study, metrics):
    study = driven_study(config)
    study.ask("a")
    study.report("a", step(1))
    study.report("a", step(2, forget=0.0))
    study.complete("a", metrics(0.0, 0.85), {"validation/forget": 9}, worker="here/1", versions={"torch": "2"})
    (record,) = driven_study(config).records()
    assert (record.state, record.values, record.fidelity) == ("COMPLETE", (0.0, 0.85), 2)
    assert record.metrics == metrics(0.0, 0.85)
    assert record.duration_s == 2.5
    assert (record.worker, record.versions, record.counts) == ("here/1", {"torch": "2"}, {"validation/forget": 9})
    assert [s.metrics["validation/forget_accuracy"] for s in record.steps] == [0.1, 0.0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), None])
def test_a_metric_that_is_no_number_fails_the_trial(config, driven_study, metrics, bad):
    study = driven_study(config)
    study.ask("a")
    values = metrics(0.0, 0.85)
    if bad is None:
        del values["validation/retain_accuracy"]
    else:
        values["validation/retain_accuracy"] = bad
    study.complete("a", values, {})
    (record,) = study.records()
    assert (record.state, record.values) == ("FAIL", None)
    assert "validation/retain_accuracy is" in record.error


def test_a_step_that_is_reported_again_after_a_crash_stays_as_it_was(config, driven_study):
    study = driven_study(config)
    study.ask("a")
    for forget in (0.5, 0.4):
        study.report("a", step(1, forget=forget))
    (record,) = study.records()
    assert [s.metrics["validation/forget_accuracy"] for s in record.steps] == [0.5]


def test_finishing_twice_or_an_unknown_trial_does_no_harm(config, driven_study, metrics):
    study = driven_study(config)
    study.ask("a")
    study.complete("a", metrics(0.1, 0.8), {})
    study.complete("a", metrics(0.9, 0.1), {})
    study.fail("a", "late")
    study.fail("never asked", "?")
    study.report("never asked", step())
    assert [record.values for record in study.records()] == [(0.1, 0.8)]


def test_exactly_n_trials_finish_and_failures_are_replaced(config, driven_study, metrics):
    study = driven_study(config)
    asked = 0
    while (record := study.ask(f"key {asked}")) is not None:
        if asked == 1:
            study.fail(f"key {asked}", "diverged")
        else:
            study.complete(f"key {asked}", metrics(0.1, 0.8), {})
        asked += 1
        assert record.number == asked - 1
    assert states(study) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
    assert study.is_over()


def test_no_more_trials_run_at_once_than_are_missing(config, driven_study):
    study = driven_study(config)
    assert [study.ask(str(n)) is None for n in range(6)] == [False] * 4 + [True] * 2


def test_too_many_failures_end_the_study(config, driven_study):
    study = driven_study(config)
    for n in range(3):
        study.ask(str(n))
        study.fail(str(n), "diverged")
    assert study.is_over()
    assert study.ask("more") is None


def test_a_dead_drivers_trials_are_adopted_with_number_and_parameters(config, driven_study, metrics):
    dead = driven_study(config)
    left = [dead.ask("a"), dead.ask("b")]
    dead.complete("a", metrics(0.1, 0.8), {})
    del dead
    study = driven_study(config)
    adopted = study.ask("new key")
    assert (adopted.number, adopted.params) == (1, left[1].params)
    study.complete("new key", metrics(0.2, 0.8), {})
    while (record := study.ask("next")) is not None:
        study.complete("next", metrics(0.2, 0.8), {})
        assert record.number in (2, 3)
    assert states(study) == ["COMPLETE"] * 4


@pytest.mark.parametrize("n_kept", [0, 2])
def test_a_trial_that_a_driver_died_asking_for_gets_the_parameters_it_lacks(config, driven_study, n_kept):
    dead = driven_study(config)
    dead.ask("the published set")
    searched = distributions(dead.space)
    left = dead.optuna_study().ask(dict(list(searched.items())[:n_kept]))
    del dead
    study = driven_study(config)
    assert study.ask("a").number == 0
    adopted = study.ask("b")
    assert (adopted.number, adopted.origin) == (left.number, "sampler")
    assert adopted.params.keys() == set(study.space.active(adopted.params))
    assert left.params.items() <= adopted.params.items()
    assert all(study.space.parameters[name].contains(value) for name, value in adopted.params.items())
    (kept,) = (record for record in driven_study(config).records() if record.number == left.number)
    assert kept == adopted


def test_a_starting_point_that_a_driver_died_asking_for_keeps_its_parameters(config, driven_study, metrics):
    dead = driven_study(config)
    ((origin, params),) = TrialPlan.of(config).starting_points
    dead.enqueue(params, origin)
    dead.optuna_study().ask()
    del dead
    study = driven_study(config)
    adopted = study.ask("a")
    assert (adopted.number, adopted.origin, adopted.params) == (0, origin, params)
    study.complete("a", metrics(0.1, 0.8), {})
    assert study.ask("b").origin == "sampler"


def test_settling_what_a_driver_died_asking_for_keeps_a_starting_point_for_the_next(config, driven_study):
    dead = driven_study(config)
    ((origin, params),) = TrialPlan.of(config).starting_points
    dead.enqueue(params, origin)
    dead.optuna_study().ask()
    del dead
    driven_study(config).abort_running("it was stopped.")
    retry = driven_study(config).ask("a")
    assert (retry.origin, retry.params) == (f"{origin}, retry of 0", params)


def test_settling_leaves_nothing_running_and_tries_the_same_parameters_next(config, driven_study):
    study = driven_study(config)
    left = study.ask("a"), study.ask("b")
    assert study.abort_running("it was stopped.") == 2
    assert states(study) == ["FAIL", "FAIL"]
    again = driven_study(config)
    retries = again.ask("c"), again.ask("d")
    assert [r.params for r in retries] == [r.params for r in left]
    assert [r.origin for r in retries] == [
        "published ResNet9/mnist/100, retry of 0",
        f"{left[1].origin}, retry of 1",
    ]
    again.abort_running("it was stopped.")
    assert driven_study(config).ask("e").origin == "published ResNet9/mnist/100, retry of 2"
    assert not again.failures_used_up()


def test_a_renamed_folder_keeps_its_trials(config, driven_study, metrics):
    study = driven_study(config)
    study.ask("a")
    study.complete("a", metrics(0.1, 0.9), {})
    (config.directory / "study.yaml").write_text(config.to_yaml())
    remember_id(config.directory, "renamed")
    study.note(ID, "renamed")
    remember_study(study.noted(ID), study.config)
    config.directory.rename(config.runs_dir / "renamed")
    (record,) = open_study(config.runs_dir / "renamed").records()
    assert record.values == (0.1, 0.9)


def test_settling_also_ends_what_a_dead_driver_left(config, driven_study):
    driven_study(config).ask("a")
    study = driven_study(config)
    study.abort_running("it was stopped.")
    assert states(study) == ["FAIL"]


def test_a_finished_published_set_is_not_queued_again(config, driven_study, metrics):
    study = driven_study(config)
    study.ask("a")
    study.complete("a", metrics(0.1, 0.8), {})
    assert driven_study(config).ask("b").origin == "sampler"


def test_a_study_with_other_objectives_or_another_space_is_refused(config, values, driven_study):
    driven_study(config)
    other_space = parse_study({**values, "fixed": {"p": 0.9}})
    with pytest.raises(ConfigError, match="holds a study with other space"):
        driven_study(other_space)
    objectives = [
        {"metric": "validation/forget_confidence", "direction": "minimize"},
        {"metric": "validation/retain_accuracy", "direction": "maximize"},
    ]
    with pytest.raises(ConfigError, match="holds a study with other objectives"):
        driven_study(parse_study({**values, "objectives": objectives}))


def test_a_stopped_search_leaves_trials_waiting_and_the_next_driver_goes_on_with_them_first(config, driven_study):
    first, heard = driven_study(config), []
    first.listen(lambda record: heard.append((record.number, record.state)))
    first.ask("a")
    first.ask("b")
    first.report("b", {**step(1), "last": True})
    first.enqueue(dict(first.records()[0].params), "by me")
    heard.clear()
    first.pause()
    assert heard == [(0, "WAITING"), (1, "WAITING")]
    trials = first.optuna_study().trials
    assert {trial.state for trial in trials} == {TrialState.WAITING}
    assert states(first) == ["WAITING", "WAITING"], "what was only enqueued is no record yet"
    assert not first.report("b", step(2)), "its worker is heard no more"
    second = driven_study(config)
    again = [second.ask("c"), second.ask("d")]
    assert [(r.number, r.state, len(r.steps)) for r in again] == [(0, "RUNNING", 0), (1, "RUNNING", 1)]
    assert [r.params for r in again] == [trial.params for trial in trials[:2]]
    assert second.ask("e").number == 2 + (len(trials) - 3)


def test_listeners_hear_of_start_report_and_end(config, driven_study, metrics):
    study, heard = driven_study(config), []
    study.listen(lambda record: heard.append((record.state, len(record.steps))))
    study.ask("a")
    study.report("a", step(1))
    study.complete("a", metrics(0.1, 0.8), {})
    assert heard == [("RUNNING", 0), ("RUNNING", 1), ("COMPLETE", 1)]


def test_the_study_opens_with_plain_optuna(config, driven_study, metrics):
    study = driven_study(config)
    study.ask("a")
    study.complete("a", metrics(0.1, 0.8), {})
    assert study.optuna_study().best_trials[0].values == [0.1, 0.8]
    assert study.optuna_study().trials[0].state == TrialState.COMPLETE


def test_a_trial_whose_worker_died_comes_again_under_its_number_until_its_retries_are_used_up(config, driven_study):
    study = driven_study(config)
    study.ask("a")
    study.ask("b")
    study.report("a", {**step(1), "last": True})
    study.requeue("a", "The worker died.")
    again = study.ask("c")
    assert (again.number, [s.step for s in again.steps]) == (0, [1])
    study.requeue("c", "The worker died.")
    assert study.ask("d").number == 0
    study.requeue("d", "The worker died.")
    assert study.records()[0].error == "The worker died. It was the trial's worker number 3."
    assert states(study) == ["FAIL", "RUNNING"]
    study.requeue("unknown", "nothing happens")
