"""A study whose replicates are tasks: promotion, parallel reports, lost workers, and drivers that die."""

import random
from statistics import fmean

import optuna
import pyarrow.parquet as pq
import pytest
from optuna.trial import TrialState

from antisample.errors import ConfigError
from tuning.config.loading import parse_study
from tuning.study.attributes import TIMED_RETRAINING_S
from tuning.study.outcome import find_outcome
from tuning.trials.failures import FailureKind
from tuning.views.mlflow.payload import step_metrics
from tuning.views.report.timeline import stretches
from tuning.views.table import write_table

EPOCHS = 2
QUALITIES = (0.3, 0.5, 0.4, 0.05, 0.45, 0.1, 0.6, 0.7)
"""Forget accuracy by trial: of the defaults, and of those after them."""


@pytest.fixture
def promoting(values):
    return parse_study(
        {
            **values,
            "published": [],
            "replicates": 4,
            "fidelity": {"rule": "promotion", "reduction_factor": 2},
            "n_trials": 6,
        }
    )


def quality(number, replicate):
    """Forget accuracy of a replicate: that of its trial, and noise."""
    return QUALITIES[number % len(QUALITIES)] + 0.01 * random.Random(f"{number} {replicate}").random()


class Workers:
    """Does what workers do: asks, reports epoch by epoch, and completes, in whatever order the dice say."""

    def __init__(self, study, seed=0, prefix=""):
        self.study, self.dice, self.prefix = study, random.Random(seed), prefix
        self.going, self.asked, self.done = {}, 0, []

    def ask(self):
        key = f"{self.prefix}{self.asked}"
        self.asked += 1
        record = self.study.ask(key)
        if record is not None:
            self.going[key] = [record.number, self.study.replicate_of(key), 0]
        return record

    def report(self, key):
        number, replicate, epoch = self.going[key]
        self.going[key][2] = epoch = epoch + 1
        figures = {
            "validation/forget_accuracy": quality(number, replicate) * (1 if epoch == EPOCHS else 2),
            "validation/retain_accuracy": 0.8,
            "validation/forget_confidence": 0.1,
            "test/forget_accuracy": 0.1 * replicate,
        }
        content = {"step": epoch, "replicate": replicate, "elapsed_s": 10.0 * epoch, "evaluation_s": 1.0 * epoch}
        content |= {"train_loss": 0.1, "metrics": figures, "last": epoch == EPOCHS, "worker": key}
        goes_on = self.study.report(key, content)
        if epoch == EPOCHS or not goes_on:
            del self.going[key]
            self.study.complete(key, figures, {"validation/forget": 9}, worker=key, spread={}, batch_halvings=0)
            self.done.append((number, replicate))

    def work(self, n_workers=3, steps=10_000):
        """Works until the study is over, or for so many steps."""
        for _ in range(steps):
            while len(self.going) < n_workers and self.ask() is not None:
                pass
            if not self.going:
                return self
            self.report(self.dice.choice(list(self.going)))
        return self


def assert_sound(study, n_trials):
    records = study.records()
    assert [record.number for record in records] == list(range(n_trials))
    assert study.is_over()
    for record in records:
        steps = record.steps
        assert [step.step for step in steps] == list(range(1, len(steps) + 1)), "each epoch once, without gaps"
        seconds = [step.elapsed_s for step in steps]
        assert seconds == sorted(seconds)
        replicates = {step.replicate for step in steps}
        assert steps[-1].elapsed_s == 10.0 * EPOCHS * len(replicates)
        for replicate in replicates:
            assert [step.last for step in steps if step.replicate == replicate] == [False, True]
        expected = fmean(quality(record.number, replicate) for replicate in range(len(replicates)))
        assert record.figures["validation/forget_accuracy"] == pytest.approx(expected)
        if record.state == "COMPLETE":
            assert (len(replicates), record.unlearning_s) == (4, 20.0)
            assert record.metrics["test/forget_accuracy"] == pytest.approx(0.15)
            assert record.spread["test/forget_accuracy"] == pytest.approx(0.1291, abs=1e-4)
            assert (record.counts, record.partial) == ({"validation/forget": 9}, {})
        else:
            assert (record.state, record.rung) == ("PRUNED", len(replicates))


@pytest.mark.parametrize("seed", range(2))
def test_the_best_come_to_the_end_and_every_replicate_is_run_once(promoting, make_study, tmp_path, seed):
    study = make_study(promoting)
    workers = Workers(study, seed).work()
    assert_sound(study, 6)
    assert len(workers.done) == len(set(workers.done))
    complete = [record.number for record in study.records() if record.state == "COMPLETE"]
    write_table(study.records(), tmp_path / "trials.parquet")
    rungs = pq.read_table(tmp_path / "trials.parquet").column("rung").to_pylist()
    assert rungs == [record.rung for record in study.records()]
    assert [rung for number, rung in enumerate(rungs) if number in complete] == [4] * len(complete)
    assert {0, 3} <= set(complete), "the defaults, and the best"
    assert len(workers.done) < 6 * 4
    assert {record.number for record in find_outcome(study).front} <= set(complete)


def test_replicates_of_a_promoted_trial_run_side_by_side(values, make_study):
    study = make_study(parse_study({**values, "replicates": 4, "fidelity": {"rule": "promotion"}, "n_trials": 1}))
    workers = Workers(study)
    assert workers.ask().number == 0
    assert workers.ask() is None, "nothing is promoted yet"
    for _ in range(EPOCHS):
        workers.report("0")
    assert [workers.ask().number for _ in range(3)] == [0, 0, 0]
    assert sorted(going[1] for going in workers.going.values()) == [1, 2, 3]
    assert workers.ask() is None
    assert study.n_running() == 3
    for key in ("4", "2", "3", "3", "4", "2"):
        workers.report(key)
    assert_sound(study, 1)
    (record,) = study.records()
    told = [(m.key, m.step) for m in step_metrics(record, record.steps) if m.key.endswith("train_loss")]
    assert sorted(told) == [(f"replicate {n}/train_loss", epoch) for n in (1, 2, 3, 4) for epoch in (1, 2)]
    bars = stretches([record])
    assert [(bar.worker, bar.first.replicate, bar.is_retry) for bar in bars] == [
        ("0", 0, False),
        ("2", 1, False),
        ("3", 2, False),
        ("4", 3, False),
    ]
    assert [bar.first.timestamp_ms - bar.begun_ms for bar in bars] == pytest.approx([11_000.0] * 4)


def test_a_trial_on_a_rung_is_paused_and_samplers_see_its_means(promoting, make_study):
    limits = [{"metric": "validation/retain_accuracy", "at_least": 0.5}]
    study = make_study(parse_study({**promoting.model_dump(), "constraints": limits}))
    workers = Workers(study)
    workers.work(1, steps=6 * EPOCHS)  # the defaults to their end, and two more
    first, second, _ = study.records()
    assert first.state == "COMPLETE"
    assert (second.state, second.rung, second.is_paused) == ("RUNNING", 1, True)
    inner = study.optuna_study()
    seen = inner.sampler.shown(inner.get_trials(deepcopy=False))[1]
    assert (seen.state, seen.values) == (TrialState.COMPLETE, [pytest.approx(quality(1, 0)), 0.8])
    assert seen.constraints["validation/retain_accuracy >= 0.5"] == pytest.approx(-0.3)
    assert inner.get_trials()[1].state == TrialState.RUNNING
    workers.work()
    trials = study.optuna_study().get_trials()
    assert trials[1].constraints["validation/retain_accuracy >= 0.5"] == pytest.approx(-0.3)


@pytest.mark.parametrize("seed", range(2))
def test_drivers_that_die_lose_nothing_and_run_no_finished_replicate_again(promoting, driven_study, seed):
    dice, done, kept = random.Random(seed), [], {}
    for life in range(12):
        study = driven_study(promoting)
        if study.is_over():
            break
        workers = Workers(study, seed, prefix=f"{life}-")
        workers.work(3, steps=dice.randrange(1, 14))
        done += workers.done
        if life % 3 == 2:
            study.pause()
            assert {record.state for record in study.records()} <= {"WAITING", "COMPLETE", "PRUNED"}
        records = study.records()
        assert all(records[number] == record for number, record in kept.items()), "what has ended never changes"
        kept = {record.number: record for record in records if record.has_ended}
    study = driven_study(promoting)
    done += Workers(study, seed, prefix="last-").work().done
    assert_sound(study, 6)
    assert len(done) - len(set(done)) == 0


def test_a_driver_that_dies_between_report_and_end_of_a_replicate_comes_to_the_same(promoting, driven_study):
    """The report is in the journal, and nothing else is: neither the rung nor the result."""
    dice = random.Random(0)
    for life in range(100):
        study = driven_study(promoting)
        if study.is_over():
            break
        if dice.random() < 0.7:
            study.complete = lambda *_, **__: None
        Workers(study, life, prefix=f"{life}-").work(2, steps=EPOCHS)
    assert_sound(study, 6)


def test_a_worker_that_dies_costs_a_replicate_and_too_many_of_one_replicate_fail_the_trial(values, make_study):
    changes = {"replicates": 4, "fidelity": {"rule": "promotion"}, "n_trials": 2}
    study = make_study(parse_study({**values, **changes}))
    workers = Workers(study)
    workers.ask()
    study.requeue("0", "The worker died.")
    del workers.going["0"]
    assert study.n_running() == 0
    assert (workers.ask().number, study.replicate_of("1")) == (0, 0)
    for _ in range(EPOCHS):
        workers.report("1")
    assert [workers.ask().number for _ in range(3)] == [0, 0, 0]
    for key in list(workers.going):
        study.requeue(key, "The machine died.")
    record = study.records()[0]
    assert (record.retries, record.state) == (4, "RUNNING"), "a machine may take several replicates with it"
    workers.going.clear()
    for _ in range(2):
        workers.ask()
        (key,) = workers.going
        study.requeue(key, "The worker died.")
        workers.going.clear()
    record = study.records()[0]
    assert (record.state, record.failure) == ("FAIL", FailureKind.WORKER_LOST)
    assert "worker number 3 of replicate" in record.error
    workers.work()
    assert sum(record.state in ("COMPLETE", "PRUNED") for record in study.records()) == 2


def test_a_replicate_that_fails_ends_its_trial_and_the_others_of_it_stop(values, make_study):
    study = make_study(
        parse_study({**values, "replicates": 4, "fidelity": {"rule": "promotion", "min": 2}, "n_trials": 2})
    )
    workers = Workers(study)
    workers.ask()
    workers.ask()
    workers.report("0")
    study.fail("0", "DivergedError: the loss is nan")
    del workers.going["0"]
    assert study.n_running() == 1, "its worker is not free before it has heard of it"
    workers.report("1")
    assert (workers.going, study.n_running()) == ({}, 0)
    assert [record.state for record in study.records()] == ["FAIL"]
    assert workers.ask().number == 1


def test_figures_that_are_no_numbers_fail_the_trial_at_once(promoting, make_study, metrics):
    study = make_study(promoting)
    study.ask("a")
    study.complete("a", metrics(float("nan"), 0.8), {})
    assert study.records()[0].error == "No usable result: validation/forget_accuracy is nan."


def test_when_time_is_up_what_stands_on_a_rung_is_stopped_and_the_rest_is_tried_again(promoting, make_study):
    study = make_study(promoting)
    workers = Workers(study)
    workers.work(1, steps=6 * EPOCHS)
    workers.ask()
    paused = {record.number for record in study.records() if record.partial and not record.has_ended}
    (begun,) = [record.number for record in study.records() if not record.partial and not record.has_ended]
    assert paused
    study.abort_running("the time is up.")
    states = {record.number: record.state for record in study.records()}
    assert {states[number] for number in paused} == {"PRUNED"}
    assert states[begun] == "FAIL"
    again = make_study(promoting)
    retried = again.ask("again")
    assert retried.origin.endswith(f"retry of {begun}")


@pytest.mark.parametrize("most", [None, 40])
def test_a_budget_that_is_used_up_promotes_nobody_and_ends_the_search_for_good(promoting, make_study, most):
    values = promoting.model_dump(exclude={"n_trials"} if most is None else set())
    values |= {"n_trials": most} if most is not None else {}
    study = make_study(parse_study({**values, "budget": 3.0, "confirm_seeds": 0}))
    study.note(TIMED_RETRAINING_S, 100.0)
    workers = Workers(study).work()
    assert study.is_over()
    assert "could exceed the budget of 3 retrainings" in study.stopped_because()
    assert {record.state for record in study.records()} == {"COMPLETE", "PRUNED"}
    spent = sum(record.duration_s for record in study.records())
    assert 150 < spent == 22 * len(workers.done) < 350
    assert make_study(study.config).ask("again") is None


def test_a_trial_that_somebody_else_ends_is_left_alone(promoting, make_study):
    study = make_study(promoting)
    workers = Workers(study)
    workers.work(1, steps=6 * EPOCHS)
    paused = next(record.number for record in study.records() if record.is_paused)
    study.optuna_study().tell(paused, state=TrialState.FAIL)
    workers.work()
    assert study.records()[paused].state == "FAIL"
    assert study.n_finished() == 6


def test_what_breaks_a_constraint_on_retain_accuracy_is_not_promoted(promoting, make_study):
    limits = [{"metric": "validation/retain_accuracy", "at_least": 0.9}]
    study = make_study(parse_study({**promoting.model_dump(), "constraints": limits}))
    Workers(study).work()
    assert [record.state for record in study.records()] == ["COMPLETE", *["PRUNED"] * 5]
    assert all(trial.constraints["validation/retain_accuracy >= 0.9"] > 0 for trial in study.optuna_study().trials)


def test_requests_are_covered_before_trials_are_compared(values, make_study):
    changes = {"forget": [{"classes": [3]}, {"classes": [5]}], "replicates": 4, "n_trials": 3}
    study = make_study(parse_study({**values, **changes, "fidelity": {"rule": "promotion"}}))
    Workers(study).work()
    assert {len({step.replicate for step in record.steps}) for record in study.records()} == {2, 4}


def test_the_journal_opens_with_plain_optuna(promoting, make_study):
    study = make_study(promoting)
    Workers(study).work(2, steps=9)
    assert isinstance(study.optuna_study(), optuna.Study)
    assert len(study.optuna_study().trials) == len(study.records())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fidelity": {"rule": "promotion", "attribute": "epochs", "min": 5}}, "must be below the method's epochs"),
        ({"fidelity": {"rule": "promotion", "attribute": "epochs"}, "replicates": 2}, "`replicates` must be 1"),
        ({"fidelity": {"rule": "promotion"}, "replicates": 1}, "`fidelity.min` must be below `replicates`"),
        ({"fidelity": {"rule": "halving"}}, "`fidelity.rule`"),
        (
            {
                "fidelity": {"rule": "promotion"},
                "forget": [{"classes": [3]}, {"classes": [5]}],
                "replicates": 2,
            },
            "`replicates` must be above 2, since a trial is compared after all of its 2 forget requests, but got 2.",
        ),
    ],
)
def test_refusals(values, changes, message):
    with pytest.raises(ConfigError) as caught:
        parse_study({**values, **changes})
    assert message in str(caught.value)
