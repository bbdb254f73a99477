"""What a search that was stopped prints."""

import io
import os
import pty
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from tuning.cli.commands.studies import _say_stopped
from tuning.interruption import once
from tuning.views.terminal.progress import Progress


def test_the_front_so_far_is_that_of_the_study_as_it_began(deep_study):
    """A study without constraints of its own gets a floor when it begins, which its file does not say."""
    as_written = deep_study.config.model_copy(update={"constraints": ()})
    console = Console(file=io.StringIO(), width=160, force_terminal=False)
    stopping = once(lambda: console.print("Stopping."))
    stopping()
    _say_stopped(as_written, Progress(console, quiet=True), "Continue with: it.", False, stopping)
    printed = console.file.getvalue()
    assert "94.5%" in printed
    assert "20.0%" not in printed, "a wrecked network"
    assert printed.count("Stopping.") == 1
    assert printed.rstrip().endswith("Stopped. Continue with: it.")


DEAF = """
import signal, sys, time
from functools import partial
from pathlib import Path
from tuning.cli.commands.studies import _say_stopped
from tuning.interruption import STOPPING, once, second_signal_stops
from tuning.study.directory import open_study
from tuning.views.terminal.console import say
from tuning.views.terminal.progress import Progress

study, progress = open_study(Path(sys.argv[1])), Progress()
stopping = once(partial(say, progress.console, STOPPING))
last_words = once(partial(_say_stopped, study.config, progress, "Continue with: it.", False, stopping))
signal.signal(signal.SIGINT, lambda *_: None)
progress.start(study, lambda: 2)
for record in study.records():
    progress.trial(record)
with second_signal_stops("no", last_words, stopping):
    print("deaf now", flush=True)
    while True:
        time.sleep(60)
"""


@pytest.mark.integration
def test_on_a_terminal_a_driver_that_is_deaf_answers_and_shows_the_front(small_study):
    """As one that waits inside of a library. The live display must leave the answer in one piece."""
    leader, follower = pty.openpty()
    words = [sys.executable, "-c", DEAF, str(small_study.config.directory)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(words, stdin=follower, stdout=follower, stderr=follower, env=environment) as process:
        os.close(follower)
        printed = b""
        while b"deaf now" not in printed:
            printed += os.read(leader, 4096)
        process.send_signal(signal.SIGINT)
        printed = _rest(leader)
    assert process.returncode == 130
    lines = printed.decode().splitlines()
    (answer,) = [line for line in lines if "Stopping." in line]
    assert answer.endswith("Stopping. Press Ctrl-C again to stop immediately.")
    front = max(place for place, line in enumerate(lines) if "Pareto front" in line)
    assert lines.index(answer) < front
    assert lines[-1].endswith("Stopped. Continue with: it.")
    assert "\x1b[?25h" in printed.decode(), "the cursor is given back"


def _rest(leader: int) -> bytes:
    """What is printed until the end of a process, which closes its terminal."""
    printed = b""
    while True:
        try:
            more = os.read(leader, 4096)
        except OSError:
            more = b""
        if not more:
            os.close(leader)
            return printed
        printed += more
