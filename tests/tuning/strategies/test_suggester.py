"""When a sampler that is slower than TPE gives way to it: trials of seconds, and many workers that ask."""

import optuna
import pytest

from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.strategies.suggester import TrialSuggester, is_too_slow


@pytest.mark.parametrize(
    ("asked_s", "trial_s", "workers", "slow"),
    [
        (0.6, 60.0, 1, False),
        (0.6, 60.0, 8, False),
        (0.6, 60.0, 64, True),  # the next worker asks after 0.94 s
        (0.6, 600.0, 64, False),
        (0.6, 11.0, 1, True),
        (0.6, 13.0, 1, False),
        (0.05, 60.0, 256, False),
        (0.2, 60.0, 256, True),
    ],
)
def test_a_suggestion_is_too_slow_for_its_trial_or_for_the_workers_that_queue(asked_s, trial_s, workers, slow):
    assert is_too_slow(asked_s, trial_s, workers) == slow


@pytest.mark.parametrize(
    ("sampler", "workers", "asking_s", "gives_way"),
    [
        ("gp", 1, 1.0, False),
        ("gp", 16, 1.0, True),
        ("gp", 16, 0.02, False),
        ("qmc", 16, 1.0, False),
    ],
)
def test_workers_that_run_a_trial_count(values, monkeypatch, sampler, workers, asking_s, gives_way):
    config = parse_study({**values, "sampler": sampler, "n_trials": 40})
    study = optuna.create_study(directions=[objective.direction for objective in config.objectives])
    suggester = TrialSuggester(study, TrialPlan.of(config))
    inside, now = study.sampler.sampler, [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    before = inside.before_trial

    def slower(*args):
        now[0] += asking_s
        before(*args)

    monkeypatch.setattr(inside, "before_trial", slower)
    running = [suggester.ask(None).trial for _ in range(workers)]
    assert suggester.notice is None  # nothing is known of a trial's length yet
    for _ in range(5):
        study.tell(running.pop(0), [0.5] * len(config.objectives))
        running.append(suggester.ask(30.0, len(running)).trial)
    assert isinstance(study.sampler.sampler, optuna.samplers.TPESampler) == gives_way
    assert (suggester.notice is not None) == gives_way
    if gives_way:
        at_once = f"a trial of 30.0 s with {workers} trials at once"
        assert suggester.notice == f"The sampler gp took 1.00 s to suggest {at_once}; switching to tpe."
