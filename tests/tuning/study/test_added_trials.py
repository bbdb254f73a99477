"""What others put into a study with Optuna's own API or its dashboard: a search and its report get along with it."""

import math
import warnings
from pathlib import Path

import optuna
import pyarrow.parquet as pq
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from tuning.config.loading import parse_study
from tuning.strategies.samplers import distributions
from tuning.study.outcome import find_outcome
from tuning.study.reader import StudyReader
from tuning.trials.origins import BY_HAND, ENQUEUED
from tuning.trials.records import describe_added_trials
from tuning.views.projections import write_projections


@pytest.fixture
def values(values, storage):
    return {**values, "storage": storage, "sampler": "tpe"}


def theirs(study):
    """The study as somebody else opens it, with Optuna alone."""
    mine, config = study.optuna_study(), study.config
    if config.storage is not None:
        return optuna.load_study(storage=config.storage, study_name=mine.study_name)
    backend = optuna.storages.journal.JournalFileBackend(str(config.directory / "journal.log"))
    return optuna.load_study(storage=optuna.storages.JournalStorage(backend), study_name=mine.study_name)


def run_to_its_end(study, metrics, report, first="run"):
    """What a driver does, until the study wants no more."""
    asked = []
    while (record := study.ask(f"{first} {len(asked)}")) is not None:
        study.report(f"{first} {len(asked)}", report(1))
        study.complete(f"{first} {len(asked)}", metrics(0.3 - 0.01 * record.number, 0.8), {}, versions={"torch": "2"})
        asked.append(record)
        assert len(asked) < 30
    return asked


def whole(study, **changed):
    """Parameters of a starting point, changed."""
    return {**study.plan.starting_points[0][1], **changed}


def test_a_result_from_elsewhere_is_shown_to_the_sampler_and_counts_for_nothing(
    config, driven_study, metrics, report
):
    study = driven_study(config)
    params = whole(study, p=0.75)
    searched = {name: each for name, each in distributions(study.space).items() if name in params}
    best = create_trial(params=params, distributions=searched, values=[0.0, 1.0])
    theirs(study).add_trial(best)
    run_to_its_end(study, metrics, report)
    again = driven_study(config)
    assert (again.n_finished(), again.ask("more")) == (4, None)
    assert 0 not in [record.number for record in [*again.records(), *find_outcome(again).front]]
    (added,) = again.by_hand()
    assert (added.number, added.origin, added.state, added.error) == (0, BY_HAND, "COMPLETE", None)
    shown = again.optuna_study().sampler.shown(again.optuna_study().trials)
    assert [trial.values for trial in shown if trial.params["p"] == 0.75] == [[0.0, 1.0]]
    write_projections(again)
    table = pq.read_table(config.directory / "trials.parquet").to_pylist()
    assert [row["origin"] for row in table].count(BY_HAND) == 1
    assert (table[0]["origin"], table[0]["metrics.validation/retain_accuracy"]) == (BY_HAND, 1.0)
    page = (config.directory / "report.html").read_text()
    assert "Trial 0 was added by hand: not counted and never on the front; the sampler learns from it." in page


def added(study):
    """Trials that Optuna takes, with an end and with something that does not fit."""
    params = whole(study)
    searched = {name: each for name, each in distributions(study.space).items() if name in params}
    text = CategoricalDistribution(["half", "all"])
    ours = {"key": 1, "seeds": 5, "metrics": "good", "report.00001": 3, "origin": ["x"], "partial": 2}
    values = [0.1, 0.9]
    return [
        create_trial(params={"p": "half"}, distributions={"p": text}, values=values),
        create_trial(params={"p": 0.5}, distributions={"p": searched["p"]}, values=values),
        create_trial(values=values),
        create_trial(params={**params, "p": -3.0}, distributions=wider(searched), values=values),
        create_trial(
            params={**params, "foo": 1.0}, distributions={**searched, "foo": FloatDistribution(0, 2)}, values=values
        ),
        create_trial(params=params, distributions=searched, values=[math.inf, 0.9]),
        create_trial(params=params, distributions=searched, values=values, user_attrs=ours),
        create_trial(state=TrialState.FAIL, params={"p": "half"}, distributions={"p": text}),
        create_trial(state=TrialState.PRUNED, params=params, distributions=searched, intermediate_values={1: 0.5}),
    ]


def wider(searched):
    return {**searched, "p": FloatDistribution(-5.0, 5.0)}


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_nothing_that_is_added_with_its_end_stops_search_or_report(values, driven_study, metrics, report, sampler):
    config = parse_study({**values, "sampler": sampler, "n_trials": 6, "space": str(numbers_only(values))})
    study = driven_study(config)
    other = theirs(study)
    for trial in added(study):  # the first trials of the study: Optuna compares later distributions with these
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                other.add_trial(trial)
            except ValueError:
                assert config.storage is not None  # where Optuna compares them when they are added
    again = driven_study(config)
    asked = run_to_its_end(again, metrics, report)
    assert len(asked) == 6
    assert all(record.params.keys() == again.space.parameters.keys() for record in asked)
    final = driven_study(config)
    n_added = len(final.optuna_study().trials) - 6
    assert (final.n_finished(), final._reader.n_failed(), len(final.by_hand())) == (6, 0, n_added)
    write_projections(StudyReader(config))
    assert len(pq.read_table(config.directory / "trials.parquet")) == 6 + n_added
    assert describe_added_trials(final.by_hand()).startswith("Trials 0, 1, ")


def numbers_only(values):
    """A space without choices, so that every sampler can be used."""
    path = Path(values["runs_dir"]) / "numbers.yaml"
    path.write_text(
        "method: antisample\nparameters:\n"
        "  unlearn_scale_lr: {low: 0.01, high: 10.0, log: true, why: rate}\n"
        "  p: {low: 0.0, high: 1.0, why: share}\n"
        "  size_multiplier: {low: 1, high: 20, integer: true, why: size}\n"
    )
    return path


REFUSED = [
    ({"p": 7.0}, "`p` must be a number in [0, 1], but got 7.0."),
    ({"p": "half"}, "`p` must be a number in [0, 1], but got 'half'."),
    ({"p": True}, "`p` must be a number in [0, 1], but got True."),
    ({"p": None}, "`p` must be a number in [0, 1], but got None."),
    ({"p": math.nan}, "`p` must be a number in [0, 1], but got nan."),
    ({"p": [0.5]}, "`p` must be a number in [0, 1], but got [0.5]."),
    ({"size_multiplier": 2.5}, "`size_multiplier` must be a whole number in [1, 20], but got 2.5."),
    ({"size_multiplier": 10**300}, "`size_multiplier` must be a whole number in [1, 20], but got 1000"),
    ({"foo": 1}, "`foo` is not a parameter that this study searches."),
]


def test_enqueued_parameters_outside_the_space_fail_with_the_reason(values, driven_study, metrics, report):
    config = parse_study({**values, "space": str(numbers_only(values)), "max_failures": 0})
    other = theirs(driven_study(config))
    for params, _ in REFUSED:
        other.enqueue_trial(params)
    run_to_its_end(driven_study(config), metrics, report)
    final = driven_study(config)
    assert (final.n_finished(), final.failures_used_up()) == (4, False)
    for record, (_, reason) in zip(final.records(), REFUSED, strict=False):
        assert (record.state, record.origin) == ("FAIL", ENQUEUED)
        assert record.error.startswith(f"Not tried: {reason}")
    write_projections(StudyReader(config))
    table = pq.read_table(config.directory / "trials.parquet").to_pylist()
    assert [row["error"] for row in table] == [record.error for record in final.records()]


def test_enqueued_parameters_are_tried_before_the_sampler_suggests_and_say_where_they_are_from(
    values, driven_study, metrics, report
):
    config = parse_study({**values, "space": str(numbers_only(values))})
    study = driven_study(config)
    study.ask("start")
    other = theirs(study)
    other.enqueue_trial({"p": 1})  # a dashboard writes 1.0 as 1
    other.enqueue_trial({"p": 0.5, "size_multiplier": 3.0, "unlearn_scale_lr": 2})
    other.enqueue_trial({})
    study.complete("start", metrics(0.1, 0.8), {})
    first, second, third = (study.ask(key) for key in "abc")
    assert [record.origin for record in (first, second, third)] == [ENQUEUED] * 3
    assert (first.params["p"], second.params) == (1.0, {"p": 0.5, "size_multiplier": 3, "unlearn_scale_lr": 2.0})
    assert all(isinstance(record.params["size_multiplier"], int) for record in (first, second, third))
    for key in "abc":
        study.complete(key, metrics(0.1, 0.8), {})
    assert study.is_over()
    assert [record.origin for record in StudyReader(config).records()][1:] == [ENQUEUED] * 3


def test_waiting_and_running_trials_that_others_made_are_run_or_refused(values, driven_study, metrics, report):
    config = parse_study({**values, "space": str(numbers_only(values)), "max_failures": 0})
    study = driven_study(config)
    study.ask("start")
    study.report("start", report(1))
    study.complete("start", metrics(0.1, 0.8), {})
    other, searched = theirs(study), distributions(study.space)
    good = {"p": 0.5, "size_multiplier": 3, "unlearn_scale_lr": 2.0}
    for state in (TrialState.WAITING, TrialState.RUNNING):
        other.add_trial(create_trial(state=state, params=good, distributions=searched))
        other.add_trial(create_trial(state=state, params={**good, "p": 3.0}, distributions=wider(searched)))
    finished = other.get_trials()[0]
    other.enqueue_trial(finished.params, user_attrs=finished.user_attrs)  # the results of another trial with it
    again = driven_study(config)
    asked = run_to_its_end(again, metrics, report)
    records = {record.number: record for record in driven_study(config).records()}
    assert [records[n].state for n in (1, 2, 3, 4, 5)] == ["COMPLETE", "FAIL", "COMPLETE", "FAIL", "FAIL"]
    assert (records[1].origin, records[2].origin) == (ENQUEUED, ENQUEUED)
    assert records[1].params == records[3].params == good
    assert "it carries `" in records[5].error
    assert len(asked) == 3


@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED])
def test_a_running_trial_that_somebody_ends_by_hand_is_replaced(config, driven_study, metrics, report, state):
    study, heard = driven_study(config), []
    study.listen(lambda record: heard.append((record.number, record.state)))
    for key in "abc":
        study.ask(key)
    study.report("a", report(1))
    for number in range(3):
        theirs(study).tell(number, [0.0, 1.0] if state == TrialState.COMPLETE else None, state=state)
    assert study.report("a", report(2)) is False
    study.complete("b", metrics(0.1, 0.8), {})
    study.requeue("c", "The worker died.")
    assert study.n_running() == 0
    assert {(number, state.name) for number in range(3)} <= set(heard)
    run_to_its_end(study, metrics, report)
    again = driven_study(config)
    assert (again.n_finished(), again.failures_used_up()) == (4, False)
    if state == TrialState.FAIL:
        assert [record.error for record in again.records()[:3]] == ["Interrupted: it was ended by hand."] * 3
    else:
        assert [record.origin for record in again.by_hand()] == [BY_HAND] * 3
    write_projections(StudyReader(config))


def test_a_copy_of_a_trial_is_no_second_result(config, driven_study, metrics, report):
    study = driven_study(config)
    run_to_its_end(study, metrics, report)
    theirs(study).add_trial(theirs(study).trials[1])
    again = driven_study(config.model_copy(update={"n_trials": 5}))
    assert (again.n_finished(), [record.number for record in again.by_hand()]) == (4, [4])
    run_to_its_end(again, metrics, report, "more")
    assert len(again.records()) == 5


def test_notes_names_and_other_studies_change_nothing(config, driven_study, metrics, report):
    study = driven_study(config)
    study.ask("a")
    before = study.records()
    other = theirs(study)
    other.set_metric_names(["forget", "retain"])
    other.set_user_attr("mine", {"a": [1, 2]})
    other._storage.set_study_system_attr(other._study_id, "dashboard:note:0:0", "a note")
    optuna.create_study(storage=other._storage, study_name="another")
    optuna.load_study(storage=other._storage, study_name="another").add_trial(create_trial(value=1.0))
    assert driven_study(config).records() == before
    study = driven_study(config)
    run_to_its_end(study, metrics, report)
    write_projections(StudyReader(config))


def test_results_with_constraints_of_another_kind_are_not_shown_to_the_sampler(values, driven_study, metrics, report):
    limit = {"metric": "validation/retain_accuracy", "at_least": 0.5}
    config = parse_study({**values, "constraints": [limit], "sampler": "gp", "space": str(numbers_only(values))})
    study, other = driven_study(config), None
    params = {"p": 0.5, "size_multiplier": 3, "unlearn_scale_lr": 2.0}
    other = theirs(study)
    for constraints in (None, {"mine": 0.5}, {"validation/retain_accuracy >= 0.5": -0.1}):
        other.add_trial(
            create_trial(
                params=params,
                distributions=distributions(study.space),
                values=[0.1, 0.9],
                constraints=constraints,
            )
        )
    study = driven_study(config)
    run_to_its_end(study, metrics, report)
    assert [record.error for record in study.by_hand()] == [
        "The sampler does not learn from it: its constraints are missing.",
        "The sampler does not learn from it: its constraints are not those of the study.",
        None,
    ]


FIGURES = {"validation/forget_accuracy": 0.0, "validation/retain_accuracy": 1.0, "validation/forget_confidence": 0.0}
LIKE_OURS = [
    (TrialState.COMPLETE, {"metrics": {name: FIGURES[name] for name in list(FIGURES)[:2]}}),
    (TrialState.COMPLETE, {"metrics": {**FIGURES, "validation/retain_accuracy": 10**400}}),
    (TrialState.COMPLETE, {"metrics": {**FIGURES, "\ud800": 0.5}}),
    (TrialState.COMPLETE, {"metrics": FIGURES, "started_ms": "soon"}),
    (TrialState.COMPLETE, {"metrics": FIGURES, "started_ms": 10**40}),
    (TrialState.COMPLETE, {"metrics": FIGURES, "finished_ms": math.nan}),
    (TrialState.COMPLETE, {"metrics": FIGURES, "seeds": {"a": 1}}),
    (TrialState.COMPLETE, {"metrics": FIGURES, "seeds": [10**30]}),
    (TrialState.COMPLETE, {"metrics": FIGURES, "counts": {"validation/forget": 10**30}}),
    (TrialState.COMPLETE, {"metrics": FIGURES, "spread": 5}),
    (TrialState.COMPLETE, {"metrics": FIGURES, "origin": "\ud800"}),
    (TrialState.COMPLETE, {"metrics": FIGURES, "worker": [1]}),
    (TrialState.COMPLETE, {"metrics": FIGURES, "versions": "2"}),
    (TrialState.COMPLETE, {"metrics": FIGURES, "retries": "no"}),
    (TrialState.COMPLETE, {"metrics": FIGURES, "report.00001": {"step": 1}}),
    (TrialState.PRUNED, {"partial": {"metrics": {**FIGURES, "validation/forget_accuracy": math.nan}}}),
    (TrialState.PRUNED, {"partial": {"metrics": FIGURES, "standard_error": 3}}),
    (TrialState.FAIL, {"error": "Interrupted: a", "metrics": 3}),
    (TrialState.FAIL, {"error": "Not tried: a", "origin": 5}),
    (TrialState.FAIL, {"error": "Not tried: a", "key": None}),
    (TrialState.FAIL, {"error": {"a": [math.nan]}}),
]


def test_attributes_named_as_ours_with_something_else_in_them_make_no_trial_ours(
    values, driven_study, metrics, report
):
    config = parse_study({**values, "space": str(numbers_only(values))})
    study = driven_study(config)
    other, params = theirs(study), whole(study)
    searched, added = distributions(study.space), 0
    for number, (state, attributes) in enumerate(LIKE_OURS):
        result = [0.0, 1.0] if state == TrialState.COMPLETE else None
        like = {"key": f"a{number}", "number": added, **attributes}
        like = {name: value for name, value in like.items() if value is not None}
        try:
            other.add_trial(
                create_trial(state=state, params=params, distributions=searched, values=result, user_attrs=like)
            )
            added += 1
        except Exception:
            if config.storage is None:  # PostgreSQL refuses some by itself
                raise
    other.enqueue_trial({})
    other.add_trial(create_trial(state=TrialState.WAITING, system_attrs={"fixed_params": ["p", 1]}))
    run_to_its_end(driven_study(config), metrics, report)
    final = driven_study(config)
    assert [record.number for record in final.by_hand()] == list(range(added))
    refused = [record for record in final.records() if record.state == "FAIL"]
    assert [record.error for record in refused] == ["Not tried: its parameters must be a mapping, but are ['p', 1]."]
    assert all(record.number > added for record in find_outcome(final).front)
    write_projections(StudyReader(config))
