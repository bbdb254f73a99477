"""What a request has cost, added up from what its study keeps."""

import json

import pytest

from tuning.config.loading import parse_study
from tuning.study.attributes import CONFIRMATIONS, DRIVES, FINALIST_RUNS, RETRAINING, TIMED_RETRAINING_S
from tuning.study.history import ends, record_search_end
from tuning.study.outcome import find_outcome
from tuning.study.spending import Account, find_spending
from tuning.views.report import render_report
from tuning.views.spending_text import describe_spending, spending_lines, spending_tag


def run(number, seed, metrics, **more):
    return {"number": number, "seed": seed, "metrics": metrics(0.0, 0.8), "elapsed_s": 1.0, **more}


@pytest.fixture
def study(values, make_study, metrics, report):
    """A trial of two replicates that took 4.1 s, one that failed, and one that runs."""
    config = parse_study({**values, "replicates": 2, "budget": 2.0})
    study = make_study(config)
    (config.directory / "study.yaml").write_text(config.to_yaml())
    for key in "abc":
        study.ask(key)
        study.report(key, {**report(2), "last": True})
    study.report("a", {**report(4), "replicate": 1, "last": True})
    study.complete("a", metrics(0.0, 0.8), {})
    study.fail("b", "DivergedError: the loss is nan")
    study.note(TIMED_RETRAINING_S, 10.0)
    return study


def test_trials_of_every_end_finals_and_confirmation_are_spent_with_their_evaluation(study, metrics):
    states = {record.number: record.state for record in study.records()}
    assert sorted(states.values()) == ["COMPLETE", "FAIL", "RUNNING"]
    spending = find_spending(study, 10.0)
    assert spending.trials_s == pytest.approx(4.1 + 2.1 + 2.1, abs=1.0), "and what the failed one did unheard"
    study.note(
        FINALIST_RUNS, [run(0, 1, metrics, spent_s=3.0), run(0, 2, metrics), {**run(1, 3, metrics), "error": "x"}]
    )
    study.note(CONFIRMATIONS, [run(0, 4, metrics, spent_s=5.0, counts={}), run(0, 5, metrics, counts={})])
    spending = find_spending(study, 10.0)
    assert spending.finals_s == pytest.approx(3.0 + 2.05 + 2.1), "as others of the trial where it was not kept"
    assert spending.confirmation_s == pytest.approx(5.0 + 2.05)
    assert spending.retrainings(spending.confirmation_s) == pytest.approx(0.705)
    plain = json.loads(json.dumps(find_outcome(study).to_json()["spent"]))
    assert plain["seconds"]["total"] == pytest.approx(spending.total_s)
    assert plain["retrainings"]["total"] == pytest.approx(spending.total_s / 10)
    assert (plain["budget"], plain["wall_s"], plain["stopped_because"]) == (2.0, None, None)


def test_the_request_of_the_chosen_trial_is_all_of_it_in_retrainings_as_timed(study, metrics):
    study.note(RETRAINING, {"epochs": 10, "retain_images": 100, "seconds": 99.0})
    study.note(CONFIRMATIONS, [run(0, 4, metrics, spent_s=5.0, counts={})])
    baselines = find_outcome(study).baselines
    (chosen,) = [row for row in baselines.rows if row.name == "chosen"]
    assert chosen.request_s == find_spending(study, None).total_s
    assert (baselines.retraining_s, baselines.basis) == (10.0, "timed")


def test_the_clock_counts_while_drivers_work_and_a_dead_one_until_it_was_last_heard_of(study, metrics):
    assert find_spending(study, None).wall_s is None
    heard = max(record.steps[-1].timestamp_ms for record in study.records())
    heard = max(heard, *(record.finished_ms or 0 for record in study.records()))
    died = {"begun_ms": heard - 5_000, "workers": 2}
    study.note(DRIVES, [{"begun_ms": heard - 70_000, "workers": 1, "ended_ms": heard - 60_000}, died])
    assert find_spending(study, None).wall_s == pytest.approx(15.0)
    late = run(0, 1, metrics, spent_s=3.0, ended_ms=heard + 8_000)
    study.note(FINALIST_RUNS, [late])
    assert find_spending(study, None).wall_s == pytest.approx(23.0)
    study.note(DRIVES, [died, {"begun_ms": heard + 100_000, "workers": 2}])
    assert find_spending(study, None).wall_s == pytest.approx(13.0), "the next one has done nothing yet"


def test_a_budget_in_retrainings_is_worker_seconds_and_one_in_minutes_the_clock(study, make_study, metrics):
    study.note(CONFIRMATIONS, [run(0, 4, metrics, spent_s=5.0, counts={})])
    account = Account.of(study)
    assert (account.limit_s, account.workers) == (20.0, 1)
    assert account.used_s == find_spending(study, None).total_s
    assert account.used_s - account.searched_s == account.confirmed_s == 5.0
    assert account.cost_s([3.0, 4.0]) == 7.0
    now = study.records()[0].finished_ms
    study.note(DRIVES, [{"begun_ms": now - 30_000, "workers": 4}])
    by_clock = make_study(study.config.model_copy(update={"budget": type(study.config.budget).parse("1 min")}))
    account = Account.of(by_clock, now + 2_000)
    assert (account.limit_s, account.used_s, account.workers) == (60.0, 32.0, 4)
    assert (account.cost_s([3.0, 4.0]), account.cost_s([3.0] * 8)) == (4.0, 6.0)
    assert account.holds(54.0, [3.0] * 8)
    assert not account.holds(54.1, [3.0] * 8)


def test_without_a_price_nothing_is_known_of_retrainings(values, make_study):
    study = make_study(parse_study({**values, "budget": 1}))
    assert Account.of(study) is None
    assert find_spending(study, None).retrainings(3.0) is None
    assert spending_lines(find_outcome(study), study.config) == [], "nothing has been spent"


def test_both_units_are_said_everywhere(study, metrics):
    study.note(FINALIST_RUNS, [run(0, 1, metrics, spent_s=12.0)])
    now = study.records()[0].finished_ms
    study.note(DRIVES, [{"begun_ms": now - 90_000, "workers": 1, "ended_ms": now}])
    outcome = find_outcome(study)
    said = describe_spending(outcome.spending)
    total = outcome.spending.total_s
    assert said.startswith(
        f"{total / 10:.2f} retrainings, {total / 60:.1f} worker minutes, evaluation included (trials "
    )
    assert said.endswith("finalists 1.20); 1.5 min by the clock; the budget was 2 retrainings")
    assert (
        spending_tag(outcome.spending)
        == f"{total / 10:.2f} retrainings, {total / 60:.1f} worker minutes of 2 retrainings"
    )
    assert f"Whole request: {said}." in spending_lines(outcome, study.config)
    assert any("not confirmed" in line for line in spending_lines(outcome, study.config))
    assert said in render_report(study)
    record_search_end(study, outcome)
    assert ends(study)[-1].values["spent/retrainings"] == pytest.approx(total / 10)
    assert ends(study)[-1].values["spent/wall_s"] == pytest.approx(90.0)
