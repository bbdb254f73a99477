"""What a search that was stopped prints."""

import io

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
