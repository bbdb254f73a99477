"""What a person sees while a study runs: a live table on a terminal, plain lines elsewhere."""

import os
import time

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tuning.outcome import Outcome, find_outcome
from tuning.records import TrialRecord
from tuning.study_view import StudyView

_SHOWN = ("validation/forget_accuracy", "validation/retain_accuracy", "validation/forget_confidence")


def output(stderr: bool = False) -> Console:
    """The console to print to: as wide as the terminal, and wide enough for the tables where there is none."""
    console = Console(highlight=False, stderr=stderr)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120
    return console


class Progress:
    """Shows a study under way.

    Args:
        console: Where to; standard output by default.
        quiet: Show nothing at all.
    """

    def __init__(self, console: Console | None = None, quiet: bool = False) -> None:
        self.console = console or output()
        self.quiet = quiet
        self._study: StudyView | None = None
        self._live: Live | None = None
        self._started = time.monotonic()
        self._done_before = 0
        self._last_error: str | None = None
        self.mlflow_link: str | None = None
        self.mlflow_problem: str | None = None
        self.storage_problem: str | None = None

    def say(self, text: str) -> None:
        """Prints one line."""
        if not self.quiet:
            self.console.print(text, soft_wrap=True)

    def training_epoch(self, epoch: int, epochs: int, loss: float) -> None:
        """Tells about an epoch of training the original model."""
        self.training("the original model", epoch, epochs, loss)

    def reference_epoch(self, epoch: int, epochs: int, loss: float) -> None:
        """Tells about an epoch of training the retrained reference."""
        self.training("the retrained reference", epoch, epochs, loss)

    def training(self, what: str, epoch: int, epochs: int, loss: float) -> None:
        """Tells about an epoch of a training; of many epochs, about every fifth part."""
        if epoch in (1, epochs) or epoch % max(1, epochs // 5) == 0:
            self.say(f"  training {what}: epoch {epoch} of {epochs}, loss {loss:.3f}")

    def start(self, study: StudyView) -> None:
        """The search begins."""
        self._study, self._started, self._done_before = study, time.monotonic(), study.n_finished()
        original = study.noted("original", {})
        self.say(
            f"Original model: validation forget {original[_SHOWN[0]]:.1%}, retain {original[_SHOWN[1]]:.1%}. "
            f"Searching {study.config.n_trials} trials"
            + (f" ({self._done_before} finished before)" if self._done_before else "")
            + f" in {study.config.directory}"
        )
        if not self.quiet and self.console.is_terminal and not study.is_over():
            self._live = Live(self._view(), console=self.console, refresh_per_second=4, transient=True)
            self._live.start()

    def trial(self, record: TrialRecord) -> None:
        """A trial started, reported or ended."""
        if record.error and record.state == "FAIL":
            self._last_error = f"trial {record.number}: {record.error}"
        if self._live is not None:
            self._live.update(self._view())
        if record.state != "RUNNING" and (self._live is None or record.state == "FAIL"):
            self.say(self._line(record))

    def searched(self) -> None:
        """The search has ended; what follows are runs with fresh seeds."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def confirmed(self, done: int, total: int) -> None:
        """One run with a fresh seed is finished."""
        self.say(f"  run {done} of {total} with fresh seeds")

    def close(self) -> None:
        """Gives the terminal back, whatever happened."""
        self.searched()

    def finish(self, mlflow_link: str | None, mlflow_problem: str | None, storage_problem: str | None) -> None:
        """Everything is done; the command line prints the outcome."""
        self.searched()
        self.mlflow_link, self.mlflow_problem = mlflow_link, mlflow_problem
        self.storage_problem = storage_problem

    def _line(self, record: TrialRecord) -> str:
        if record.state == "FAIL":
            return f"  trial {record.number} failed: {record.error}"
        forget, retain = (record.figures.get(name, float("nan")) for name in _SHOWN[:2])
        return (
            f"  trial {record.number:>3} {record.state.lower()}: forget {forget:6.1%}, retain {retain:6.1%}, "
            f"{record.duration_s:5.1f} s ({record.origin})   {self._counts()}"
        )

    def _counts(self) -> str:
        if self._study is None:
            return ""
        states = [record.state for record in self._study.records()]
        done = sum(state in ("COMPLETE", "PRUNED") for state in states)
        front = find_outcome(self._study).front
        text = (
            f"done {done} of {self._study.config.n_trials}, running {states.count('RUNNING')}, "
            f"failed {states.count('FAIL')}, front {len(front)}"
        )
        fresh = done - self._done_before
        left = self._study.config.n_trials - done
        if fresh and left > 0:
            text += f", {_duration((time.monotonic() - self._started) / fresh * left)} left"
        return text

    def _view(self) -> RenderableType:
        if self._study is None:
            return Text("")
        outcome = find_outcome(self._study)
        parts: list[RenderableType] = [Text(self._counts()), front_table(outcome, limit=8)]
        if self._last_error:
            parts.append(Text(f"last failure: {self._last_error}", style="red"))
        return Group(*parts)


def front_table(outcome: Outcome, limit: int | None = None) -> Table:
    """The front as a table, with the published set and the original model beside it."""
    counts = outcome.original_counts
    others = "unseen" if outcome.by_samples else "retain"
    title = (
        f"Pareto front on validation: {counts.get('validation/forget', 0)} forget images, "
        f"{counts.get('validation/retain', 0)} {others} images"
    )
    table = Table(title=title, title_justify="left")
    third = "gap" if outcome.by_samples else "confidence"
    for heading in ("trial", "forget", others, "drop", third, "epochs", "seconds", "origin"):
        table.add_column(heading, justify="right" if heading != "origin" else "left")
    before = outcome.original.get(_SHOWN[1], 0.0)

    def row(name: str, metrics: dict[str, float], epochs: str, seconds: str, origin: str) -> None:
        forget, retain, confidence = (metrics.get(key, float("nan")) for key in _SHOWN)
        gap = metrics.get("validation/forget_gap", float("nan"))
        table.add_row(
            name,
            f"{forget:.1%}",
            f"{retain:.1%}",
            f"{100 * (before - retain):+.1f}",
            f"{100 * gap:.1f}" if outcome.by_samples else f"{confidence:.3f}",
            epochs,
            seconds,
            origin,
        )

    for record in outcome.front[:limit]:
        mark = " *" if outcome.chosen is not None and record.number == outcome.chosen.number else ""
        row(
            f"{record.number}{mark}",
            record.metrics,
            str(record.fidelity),
            f"{record.duration_s:.1f}",
            record.origin,
        )
    if limit is not None and len(outcome.front) > limit:
        table.add_row(f"+{len(outcome.front) - limit} more")
    if outcome.published is not None and outcome.published not in outcome.front:
        p = outcome.published
        row(str(p.number), p.metrics, str(p.fidelity), f"{p.duration_s:.1f}", f"{p.origin} (dominated)")
    if outcome.original:
        row("-", outcome.original, "", "", "original model")
    return table


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
