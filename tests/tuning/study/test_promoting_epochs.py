"""Promotion with fidelity `epochs`: a trial waits at a rung, and another worker continues it."""

import random

import pytest
from optuna.trial import TrialState

from tuning.config.loading import parse_study
from tuning.trials.failures import FailureKind
from tuning.views.report.timeline import stretches

EPOCHS = 8
QUALITIES = (0.3, 0.5, 0.4, 0.05, 0.45, 0.1)


@pytest.fixture
def promoting(values):
    return parse_study(
        {
            **values,
            "published": [],
            "fidelity": {"attribute": "epochs", "rule": "promotion", "reduction_factor": 2},
            "fixed": {"epochs": EPOCHS},
            "n_trials": 6,
        }
    )


class Workers:
    """Ask, report epoch by epoch from where a checkpoint would be, and leave or complete a trial."""

    def __init__(self, study, seed=0, prefix=""):
        self.study, self.dice, self.prefix = study, random.Random(seed), prefix
        self.going, self.asked, self.epochs = {}, 0, []

    def ask(self):
        key = f"{self.prefix}{self.asked}"
        self.asked += 1
        record = self.study.ask(key)
        if record is not None:
            start = min(record.fidelity, EPOCHS - 1)  # there is no checkpoint after the last epoch
            self.going[key] = [record.number, start, self.study.until_of(key)]
        return record

    def report(self, key):
        number, done, until = self.going[key]
        self.going[key][1] = epoch = done + 1
        figures = {
            "validation/forget_accuracy": QUALITIES[number] * (EPOCHS / epoch),
            "validation/retain_accuracy": 0.8,
            "validation/forget_confidence": 0.1,
        }
        content = {"step": epoch, "replicate": 0, "elapsed_s": 10.0 * epoch, "evaluation_s": 1.0 * epoch}
        content |= {"train_loss": 0.1, "metrics": figures, "last": epoch == EPOCHS, "worker": key}
        self.epochs.append((number, epoch))
        goes_on = self.study.report(key, content)
        if epoch == EPOCHS:
            self.study.complete(key, figures, {}, worker=key, spread={}, batch_halvings=0)
        elif epoch == until:
            self.study.leave(key)
        if epoch in (EPOCHS, until) or not goes_on:
            del self.going[key]

    def work(self, n_workers=2, steps=10_000):
        for _ in range(steps):
            while len(self.going) < n_workers and self.ask() is not None:
                pass
            if not self.going:
                return self
            self.report(self.dice.choice(list(self.going)))
        return self


def assert_sound(study):
    records = study.records()
    assert study.is_over()
    assert [record.number for record in records] == list(range(6))
    for record in records:
        assert [step.step for step in record.steps] == list(range(1, len(record.steps) + 1))
        assert record.steps[-1].elapsed_s == 10.0 * len(record.steps)
        if record.state == "COMPLETE":
            assert (record.fidelity, record.partial) == (EPOCHS, {})
            assert record.metrics["validation/forget_accuracy"] == QUALITIES[record.number]
        else:
            assert (record.state, record.rung) == ("PRUNED", record.fidelity)
            assert record.fidelity in (1, 2, 4)
    complete = [record.number for record in records if record.state == "COMPLETE"]
    assert {0, 3} <= set(complete), "the defaults, and the best"
    assert len(complete) < 6


@pytest.mark.parametrize("seed", range(3))
def test_the_best_come_to_their_last_epoch_and_no_epoch_is_run_twice(promoting, make_study, seed):
    study = make_study(promoting)
    workers = Workers(study, seed).work()
    assert_sound(study)
    assert len(workers.epochs) == len(set(workers.epochs)) < 6 * EPOCHS


def test_a_trial_on_a_rung_is_paused_and_samplers_see_it_as_it_is(promoting, make_study):
    study = make_study(promoting)
    workers = Workers(study)
    workers.work(1, steps=EPOCHS + 1)
    first, second = study.records()
    assert first.state == "COMPLETE"
    assert (second.state, second.rung, second.fidelity, second.is_paused) == ("RUNNING", 1, 1, True)
    inner = study.optuna_study()
    seen = inner.sampler.shown(inner.get_trials(deepcopy=False))[1]
    assert (seen.state, seen.values) == (TrialState.COMPLETE, [QUALITIES[1] * EPOCHS, 0.8])
    assert study.n_running() == 0
    record = workers.ask()
    assert (record.number, workers.study.until_of(f"{workers.asked - 1}")) == (2, 1), "nobody is promoted yet"


def test_a_promoted_trial_goes_on_where_it_waited_and_the_timeline_shows_the_pause(
    promoting, make_study, monkeypatch
):
    study = make_study(promoting)
    clock = iter(range(0, 10**9, 60_000))
    monkeypatch.setattr("tuning.study.promoting.now_ms", lambda: next(clock))
    Workers(study).work()
    (best,) = [record for record in study.records() if record.number == 3]
    bars = stretches([best])
    assert [(bar.first.step, bar.last.step) for bar in bars] == [(step, step) for step in range(1, EPOCHS + 1)]
    assert not any(bar.is_retry for bar in bars), "no worker died"


@pytest.mark.parametrize("seed", range(3))
def test_drivers_that_die_lose_nothing(promoting, driven_study, seed):
    dice, kept = random.Random(seed), {}
    for life in range(14):
        study = driven_study(promoting)
        if study.is_over():
            break
        Workers(study, seed, prefix=f"{life}-").work(2, steps=dice.randrange(1, 8))
        if life % 3 == 2:
            study.pause()
        records = study.records()
        assert all(records[number] == record for number, record in kept.items()), "what has ended never changes"
        kept = {record.number: record for record in records if record.has_ended}
    study = driven_study(promoting)
    Workers(study, seed, prefix="last-").work()
    assert_sound(study)


@pytest.mark.parametrize("lost", ["leave", "complete"])
def test_a_driver_that_dies_after_the_last_report_of_a_rung_comes_to_the_same(promoting, driven_study, lost):
    dice = random.Random(0)
    for life in range(100):
        study = driven_study(promoting)
        if study.is_over():
            break
        if dice.random() < 0.7:
            setattr(study, lost, lambda *_, **__: None)
        Workers(study, life, prefix=f"{life}-").work(2, steps=3)
    assert_sound(study)


def test_a_worker_that_dies_loses_what_it_did_since_the_rung(promoting, make_study):
    study = make_study(promoting)
    workers = Workers(study)
    workers.ask()
    workers.report("0")
    workers.ask()
    workers.report("1")
    study.requeue("1", "The worker died.") if "1" in workers.going else study.requeue("0", "The worker died.")
    workers.going.clear()
    workers.work()
    assert_sound(study)


def test_too_many_lost_workers_fail_the_trial(promoting, make_study):
    study = make_study(promoting)
    for attempt in range(3):
        study.ask(f"attempt {attempt}")
        study.requeue(f"attempt {attempt}", "The worker died.")
    record = study.records()[0]
    assert (record.state, record.failure) == ("FAIL", FailureKind.WORKER_LOST)
    assert "worker number 3 of the trial" in record.error
