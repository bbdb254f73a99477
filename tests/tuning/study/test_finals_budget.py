"""Runs with fresh seeds stay within the budget, and what is decided is decided again from what the study holds."""

import pytest

from tuning.config.loading import parse_study
from tuning.driver.confirmation import missing_confirmations
from tuning.study.attributes import CONFIRMATIONS, FINALIST_RUNS, TIMED_RETRAINING_S
from tuning.study.finals import find_finals
from tuning.study.outcome import find_outcome
from tuning.views.spending_text import spending_lines

TRIAL_S = 10.0


@pytest.fixture
def searched(values, make_study, metrics, report):
    """A study of four trials of 10 s each whose first three are finalists; a retraining takes 100 s."""

    def make(budget, **changes):
        config = parse_study({**values, "published": [], **changes})
        study = make_study(config)
        if study.noted(TIMED_RETRAINING_S) is None:
            study.note(TIMED_RETRAINING_S, 100.0)
            for key, (forget, retain) in enumerate([(0.0, 0.89), (0.0, 0.88), (0.005, 0.87), (0.5, 0.895)]):
                study.ask(str(key))
                study.report(str(key), {**report(1), "elapsed_s": TRIAL_S, "evaluation_s": 0.0, "last": True})
                study.complete(
                    str(key), metrics(forget, retain), {"validation/forget": 500, "validation/retain": 4500}
                )
        return make_study(parse_study({**values, "published": [], "budget": budget, **changes}))

    return make


def run_round(study, metrics, wanted=None, spent_s=TRIAL_S):
    """Keeps the runs of the round to come; the first `wanted` of them."""
    runs = list(study.noted(FINALIST_RUNS, []))
    for record, seed in find_finals(study).missing[:wanted]:
        # A finalist that wavers about its limit, so that no round settles it.
        forget = (0.0, 0.03)[len([run for run in runs if run["number"] == record.number]) % 2]
        run = {"number": record.number, "seed": seed, "metrics": metrics(forget, 0.88), "elapsed_s": 1.0}
        runs.append({**run, "spent_s": spent_s})
    study.note(FINALIST_RUNS, runs)


def finalists(study):
    return [record.number for record in find_finals(study).finalists]


def test_there_are_as_many_finalists_as_two_rounds_and_a_confirmation_have_room_for(searched):
    """The search took 40 s."""
    assert finalists(searched(1.10, name="three")) == [0, 1, 2]
    assert finalists(searched(1.09, name="two")) == [0, 1]
    assert finalists(searched(0.90, name="just")) == [0, 1]
    none = searched(0.89, name="none")
    assert finalists(none) == []
    assert not find_finals(none).missing
    assert find_outcome(none).chosen.number == 0, "by the figures of the search"


def test_finals_end_before_the_round_that_would_exceed_the_budget(searched, metrics):
    study, rounds = searched(1.2), 0
    while find_finals(study).missing:
        run_round(study, metrics)
        rounds += 1
    assert rounds == 2
    assert "another round would have exceeded the budget of 1.2 retrainings" in find_outcome(study).reason
    more = searched(3.0)
    assert find_finals(more).missing, "with a larger budget they go on"


def test_a_round_that_has_begun_is_finished_and_a_resumed_study_decides_the_same(searched, metrics):
    whole, parts = searched(1.2, name="whole"), searched(1.2, name="parts")
    while find_finals(whole).missing:
        run_round(whole, metrics)
    while find_finals(parts).missing:
        run_round(parts, metrics, wanted=1)
        parts = searched(1.2, name="parts")
    assert parts.noted(FINALIST_RUNS) == whole.noted(FINALIST_RUNS)
    before = find_outcome(whole)
    seed = whole.plan.confirmation_seeds[0]
    run = {"number": before.chosen.number, "seed": seed, "metrics": {"test/retain_accuracy": 0.8}, "counts": {}}
    whole.note(CONFIRMATIONS, [{**run, "spent_s": 500.0}])
    after = find_outcome(whole)
    assert (after.chosen, after.reason) == (before.chosen, before.reason), "confirmation decides nothing"


def test_the_chosen_trial_is_confirmed_first_as_far_as_the_budget_goes(searched):
    study = searched(0.72, selection={"finalists": 1}, confirm_seeds=4)
    first = missing_confirmations(study)
    assert [record.number for record, _ in first] == [0], "the first one tells what the others cost"
    assert any("not confirmed" in line for line in spending_lines(find_outcome(study), study.config))
    (record, seed) = first[0]
    run = {"number": record.number, "seed": seed, "metrics": {"test/retain_accuracy": 0.8}, "counts": {}}
    study.note(CONFIRMATIONS, [{**run, "spent_s": 15.0}])
    assert len(missing_confirmations(study)) == 1, "two of 15 s fit into 32 s"
    assert not any("not confirmed" in line for line in spending_lines(find_outcome(study), study.config))
    study.note(CONFIRMATIONS, [{**run, "spent_s": 33.0}])
    assert not missing_confirmations(study)


def test_no_confirmation_that_does_not_fit(searched):
    assert not missing_confirmations(searched(0.45))
    assert len(missing_confirmations(searched(None, name="free", confirm_seeds=2))) == 2
