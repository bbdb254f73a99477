"""What a terminal shows while a search runs."""

import io
import re
import threading
import time
from dataclasses import replace

import pytest
from rich.console import Console

from tuning.study.outcome import find_outcome
from tuning.views.terminal.live import live_view
from tuning.views.terminal.outcome import print_outcome
from tuning.views.terminal.progress import Progress


def shown(study, **options) -> str:
    values = {"left_s": 80.0, "at_once": 2, "failures": ("trial 2 failed: DivergedError: the loss is nan",)}
    console = Console(file=io.StringIO(), width=120)
    console.print(live_view(study, **values | options))
    return console.file.getvalue()


def test_it_shows_trials_workers_time_left_the_best_trial_the_front_and_failures(small_study):
    small_study.ask("running")
    text = shown(small_study)
    assert "2 of 4 trials" in text
    assert "workers 1 of 2 busy" in text
    assert "stopped early 0, failed 1" in text
    assert "1 min 20 s left" in text
    assert "Best so far (*): trial 0, forget 0.0%, retain 80.0%: the only trial on the front" in text
    assert "Pareto front" in text
    assert "trial 2 failed: DivergedError" in text


def test_a_study_without_trials_has_nothing_to_show_and_says_so(config, make_study):
    text = shown(make_study(config), left_s=None, failures=())
    assert "0 of 4 trials" in text
    assert "Best so far" not in text
    assert "left" not in text


def test_depth_is_a_column_where_the_front_has_it(deep_study, small_study):
    text = shown(deep_study, failures=())
    assert re.search("┃ +retain ┃ left ┃", text)
    assert re.search(r"│ 94.5% \[[0-9., ]+\] │ 0.60 │", text)
    assert "┃ left ┃" not in shown(small_study)


def test_lines_of_trials_have_their_depth(deep_study):
    console = Console(file=io.StringIO(), width=140)
    progress = Progress(console)
    progress.trial(deep_study.records()[1])
    assert "retain  94.5%, left  0.60, " in console.file.getvalue()


def test_without_a_terminal_there_are_plain_lines(small_study):
    console = Console(file=io.StringIO(), width=120)
    progress = Progress(console)
    progress.start(small_study, lambda: 2)
    for record in small_study.records():
        progress.trial(record)
    lines = console.file.getvalue().splitlines()
    assert lines[1:3] == ["Starting workers, 0 s", "First trial started after 0 s"]
    assert "trial   0 complete: forget   0.0%, retain  80.0%" in lines[3]
    assert lines[5] == "  trial 2 failed: DivergedError: the loss is nan"
    assert "\x1b" not in console.file.getvalue()


def test_without_a_terminal_a_long_wait_for_workers_is_said_again_until_the_first_trial(small_study, monkeypatch):
    monkeypatch.setattr("tuning.views.terminal.progress._WAITING_EVERY_S", 0.01)
    console = Console(file=io.StringIO(), width=120)
    progress = Progress(console)
    progress.start(small_study, lambda: 2)
    deadline = time.monotonic() + 30
    while console.file.getvalue().count("Starting workers, 0 s") < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert console.file.getvalue().count("Starting workers") >= 3
    progress.trial(small_study.records()[0])
    for thread in threading.enumerate():
        if thread.name == "waiting":
            thread.join(30)
    assert console.file.getvalue().count("First trial started") == 1
    assert [t.name for t in threading.enumerate() if t.name == "waiting"] == [], "nobody waits any more"


def test_on_a_terminal_the_table_is_live_and_failures_stay_in_it(small_study):
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    progress = Progress(console)
    progress.start(small_study, lambda: 2)
    for record in small_study.records():
        progress.trial(record)
    progress.close()
    text = console.file.getvalue()
    assert "Best so far (*)" in text
    assert "trial 2 failed" in text
    assert text.endswith("\x1b[?25h") or "\x1b[?25h" in text, "the cursor is given back"


def test_before_the_first_trial_workers_are_starting_and_no_time_is_left(small_study):
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    progress = Progress(console)
    progress.start(small_study, lambda: 2)
    progress.close()
    text = console.file.getvalue()
    assert "Starting workers, 0 s" in text
    assert "left" not in text
    assert "Best so far" not in text


def test_what_is_done_never_exceeds_the_total_where_n_trials_was_lowered(small_study):
    small_study.config = small_study.config.model_copy(update={"n_trials": 1})
    assert "2 of 2 trials" in shown(small_study)
    console = Console(file=io.StringIO(), width=120)
    progress = Progress(console)
    progress.start(small_study, lambda: 2)
    progress.trial(small_study.records()[0])
    assert "2 of 2 done" in console.file.getvalue()


@pytest.mark.parametrize(
    ("n_trials", "said"),
    [
        (4, "Running 4 trials (2 already finished) in"),
        (2, "No more trials to run in"),
        (1, "2 have finished, and `n_trials` is 1"),
    ],
)
def test_a_search_says_how_many_trials_are_left_to_it(small_study, make_study, n_trials, said):
    study = make_study(small_study.config.model_copy(update={"n_trials": n_trials}))
    console = Console(file=io.StringIO(), width=200)
    Progress(console).start(study)
    assert said in console.file.getvalue()


def test_no_more_workers_are_busy_than_there_are_where_a_dead_driver_left_trials(small_study):
    for key in "abc":
        small_study.ask(key)
    assert "workers 1 of 1 busy" in shown(small_study, at_once=1)


def test_quiet_says_nothing(small_study):
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    progress = Progress(console, quiet=True)
    progress.start(small_study, lambda: 2)
    for record in small_study.records():
        progress.trial(record)
    assert console.file.getvalue() == ""


@pytest.mark.parametrize("error", ["must give logits [n, classes]", "[/usr/lib/libc.so.6] is missing", "a:x:b"])
def test_an_error_message_is_shown_as_it_is_and_not_as_markup(config, make_study, error):
    study = make_study(config)
    console = Console(file=io.StringIO(), width=120)
    progress = Progress(console)
    study.listen(progress.trial)
    study.ask("x")
    study.fail("x", error)
    assert console.file.getvalue() == f"  trial 0 failed: {error}\n"


def test_names_from_outside_are_shown_as_they_are_when_a_study_is_over(small_study):
    outcome = find_outcome(small_study)
    outcome = replace(outcome, front=tuple(replace(record, origin="published [/a]") for record in outcome.front))
    config = small_study.config
    config = config.model_copy(update={"runs_dir": config.runs_dir / "[/old] [runs]"})
    console = Console(file=io.StringIO(), width=120)
    print_outcome(console, outcome, config)
    text = console.file.getvalue()
    assert text.count("published [/a]") == 2
    assert text.count("/[/old] [runs]/made") == 3, "report, and twice in the command that applies a trial"


def test_a_run_with_a_fresh_seed_that_fails_is_told_with_its_reason():
    console = Console(file=io.StringIO(), width=120)
    progress = Progress(console)
    progress.confirmed(1, 2)
    progress.confirmed(2, 2, "trial 4, OutOfMemoryError: [GPU 0]")
    assert console.file.getvalue().splitlines() == [
        "  re-run 1 of 2 with a fresh seed",
        "  re-run 2 of 2 with a fresh seed failed: trial 4, OutOfMemoryError: [GPU 0]",
    ]
