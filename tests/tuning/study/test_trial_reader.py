"""Reading a study bit by bit gives what reading it anew gives."""

import random

import pytest

from tuning.config.loading import parse_study
from tuning.study.reader import StudyReader
from tuning.study.trial_reader import TrialReader
from tuning.trials.failures import FailureKind
from tuning.trials.front import front_of


@pytest.fixture(params=["journal", pytest.param("postgresql", marks=[pytest.mark.integration, pytest.mark.slow])])
def storage(request):
    return None if request.param == "journal" else request.getfixturevalue("database")


@pytest.fixture
def values(values, storage):
    return {**values, "storage": storage}


def figures(rng):
    forget, retain = rng.random(), rng.random()
    return {
        "validation/forget_accuracy": forget,
        "validation/retain_accuracy": retain,
        "validation/forget_confidence": forget,
    }


def act(study, running, rng, n):
    """Does one thing that happens to a study."""
    if not running or rng.random() < 0.4:
        if study.ask(f"trial {n}") is not None:
            running.append(f"trial {n}")
        return
    key = rng.choice(running)
    what = rng.choice(["report", "complete", "fail", "interrupted"])
    if what == "report":
        known = {"replicate": 0, "elapsed_s": rng.random(), "evaluation_s": 0.0, "train_loss": 1.0, "last": False}
        study.report(key, {"step": n + 1, "metrics": figures(rng), **known})
        return
    running.remove(key)
    if what == "complete":
        study.complete(key, figures(rng), {})
    else:
        kind = FailureKind.ERROR if what == "fail" else FailureKind.INTERRUPTED
        study.fail(key, "broken" if what == "fail" else "Interrupted: the time budget is used up.", kind)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_it_tells_what_a_fresh_reader_tells(values, make_study, seed):
    rng = random.Random(seed)
    study = make_study(parse_study({**values, "n_trials": 30, "max_failures": 100}))
    watcher, running = StudyReader(study.config), []
    for n in range(60):
        act(study, running, rng, n)
        if rng.random() < 0.5:
            continue
        fresh = TrialReader(study.optuna_study())
        for seen in (study, watcher):
            records = fresh.records()
            assert seen.records() == records
            assert seen.n_finished() == sum(record.state in ("COMPLETE", "PRUNED") for record in records)
            assert seen._reader.n_failed() == fresh.n_failed()
            assert seen._reader.typical_s() == fresh.typical_s()
            assert seen.front() == front_of(records, study.config.objectives, study.config.constraints)
        assert study.records() == [study._reader.record(record.number) for record in study.records()]
