"""When the search of a study with a budget ends, and that it stays so."""

import pytest

from tuning.config.budget import Budget
from tuning.config.loading import parse_study
from tuning.study.attributes import DRIVES, SEARCH_STOP, TIMED_RETRAINING_S
from tuning.study.search_budget import SETTLED_AFTER
from tuning.study.study import now_ms
from tuning.study.summary import summarise_studies


@pytest.fixture
def begin(values, make_study):
    """A study with a budget and a price of 100 s for a retraining; calling it again is what a new driver does."""

    def make(**changes):
        given = {name: value for name, value in values.items() if name not in ("n_trials", "published")}
        config = parse_study({**given, "confirm_seeds": 0, **changes})
        study = make_study(config)
        (config.directory / "study.yaml").write_text(config.to_yaml())
        study.note(TIMED_RETRAINING_S, 100.0)
        return study

    return make


@pytest.fixture
def finish(metrics, report):
    """Asks for a trial and finishes it with so many seconds and figures."""

    def do(study, key, seconds, forget=0.0, retain=0.85, **more):
        record = study.ask(key)
        if record is not None:
            study.report(key, {**report(1), "elapsed_s": float(seconds), "evaluation_s": 0.0, "last": True})
            others = {f"validation/{name}": value for name, value in more.items()}
            study.complete(key, {**metrics(forget, retain), **others}, {})
        return record

    return do


def test_no_trial_begins_that_the_budget_has_no_room_for(begin, finish):
    study = begin(budget=1.0)
    assert finish(study, "a", 40) is not None
    assert finish(study, "b", 40) is not None
    assert not study.is_over(), "this is decided when one is asked for"
    assert study.ask("c") is None
    assert study.is_over()
    assert (
        study.stopped_because() == "another trial and what follows the search could exceed the budget of 1 retraining"
    )


def test_what_follows_the_search_has_its_share(begin, finish):
    study = begin(budget=1.0, confirm_seeds=3)
    assert finish(study, "a", 30) is not None
    assert study.ask("b") is None, "two finalists twice and a confirmation take more than is left"


def test_a_first_trial_always_begins_and_a_failed_one_is_replaced(begin):
    study = begin(budget=0.000_001)
    assert study.ask("a") is not None
    study.fail("a", "DivergedError: the loss is nan")
    assert study.ask("b") is not None


def test_trials_under_way_are_counted_with_what_they_will_take(begin, finish, report):
    study = begin(budget=1.0)
    finish(study, "a", 30)
    assert study.ask("b") is not None
    assert study.ask("c") is not None
    assert study.ask("d") is None, "three of 30 and another"
    assert not study.is_over(), "those under way may take less"
    study.fail("b", "DivergedError: the loss is nan")
    study.report("c", {**report(1), "elapsed_s": 1.0, "last": True})
    assert study.ask("d") is not None


def test_before_a_trial_is_done_its_epochs_tell_what_it_takes(begin):
    recipe = {"name": "SmallCNN", "recipe": {"epochs": 10}}
    study = begin(budget=1.0, fixed={"epochs": 4, "retain_fraction": 1.0}, model=recipe)
    assert [study.ask(key) is not None for key in "abc"] == [True, True, False]


def test_the_end_is_kept_and_another_budget_goes_on(begin, finish):
    study = begin(budget=1.0)
    finish(study, "a", 60)
    assert study.ask("b") is None
    (summary,) = summarise_studies(study.config.runs_dir)[0]
    assert (summary.state, summary.done, summary.total) == ("finished", 1, None)
    again = begin(budget=1.0)
    assert again.is_over()
    assert again.ask("b") is None
    more = begin(budget=3.0)
    assert not more.is_over()
    assert more.ask("b") is not None
    assert more.noted(SEARCH_STOP)["budget"] == 1.0


def test_whichever_ends_first_of_trials_and_budget(begin, finish):
    study = begin(budget=100.0, n_trials=2)
    finish(study, "a", 1)
    finish(study, "b", 1)
    assert study.ask("c") is None
    assert study.is_over()
    assert study.stopped_because() is None


def test_minutes_are_those_of_the_clock(begin, finish):
    study = begin(budget="10 min")
    study.note(DRIVES, [{"begun_ms": now_ms() - 60_000, "workers": 4}])
    assert finish(study, "a", 60) is not None
    assert study.ask("b") is not None
    study.note(DRIVES, [{"begun_ms": now_ms() - 595_000, "workers": 4}])
    assert study.ask("c") is None


def test_a_search_ends_early_once_its_finalists_keep_every_limit_and_the_choice_stays(begin, finish):
    study = begin(budget=1000.0)
    finish(study, "first", 1, 0.0, 0.88)
    finish(study, "second", 1, 0.0, 0.87)
    for key in range(SETTLED_AFTER - 1):
        assert finish(study, str(key), 1, 0.3, 0.6) is not None
    assert study.ask("x") is None
    assert study.stopped_because() == "2 finalists keep every limit, and the last 8 trials did not change the choice"


def test_a_search_goes_on_while_a_finalist_breaks_a_limit_or_the_choice_changes(begin, finish):
    study = begin(budget=1000.0)
    for key in range(2 * SETTLED_AFTER):
        assert finish(study, str(key), 1, 0.3, 0.85 - key / 100) is not None, "none forgets"
    improving = begin(budget=1000.0, name="improving")
    for key in range(2 * SETTLED_AFTER):
        assert finish(improving, str(key), 1, 0.0, 0.82 + key / 400) is not None


@pytest.mark.parametrize(("left", "ends"), [(1.0, False), (0.4, True)])
def test_a_choice_no_deeper_than_a_mask_ends_no_search_for_depth(begin, finish, left, ends):
    study = begin(budget=1000.0, evaluation={"final": ["probe", "mask"]})
    for key in range(SETTLED_AFTER + 2):
        figures = {
            "probe_left": left + (key > 0) / 100,
            "probe_error": 0.001,
            "mask_drop": 0.0,
            "mask_drop_error": 0.0,
        }
        finish(study, str(key), 1, 0.0, 0.88 - (key > 0) / 1000, **figures)
    assert (study.ask("x") is None) == ends


def test_without_a_budget_only_the_number_of_trials_ends_a_search(begin, finish):
    study = begin(n_trials=12)
    for key in range(12):
        assert finish(study, str(key), 1000, 0.0, 0.88) is not None
    assert study.is_over()
    assert study.noted(SEARCH_STOP) is None
    assert study.config.budget is None
    assert Budget.parse(1).plain() == 1.0
