"""What a person sees while a study runs: a live table on a terminal, plain lines elsewhere."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from antisample.inputs import RequestData
from antisample.methods import OriginalModel
from antisample.metrics import left_out_notes
from antisample.metrics.forgetting import Forgetting, forgetting_line
from antisample.metrics.original_accuracy import OriginalAccuracy
from tuning.config.objectives import DEPTH
from tuning.study.progress_listener import ProgressListener
from tuning.trials.records import TrialRecord
from tuning.views.terminal.console import output

if TYPE_CHECKING:
    from tuning.study.reader import StudyReader

_SHOWN = ("validation/forget_accuracy", "validation/retain_accuracy")
_FAILURES = 3
_WAITING_EVERY_S = 30.0
_COPIES_EVERY_S = 10.0
_LOST_WORKER = (
    "trial {}: its worker process ended unexpectedly, possibly killed for lack of memory; the trial continues from "
    "its last finished epoch"
)


class Progress(ProgressListener):
    """Shows a study under way.

    Args:
        console: Where to; standard output by default.
        quiet: Say what will be forgotten, and nothing else.
    """

    def __init__(self, console: Console | None = None, quiet: bool = False) -> None:
        self.console, self.quiet = console or output(), quiet
        self._study: StudyReader | None = None
        self._live: Live | None = None
        self._started = time.monotonic()
        self._first_trial: float | None = None
        self._waited = threading.Event()
        self._table: RenderableType = Text("")
        self._done_before = 0
        self._slots: Callable[[], int] | None = None
        self._n_requests, self._measured = 1, False
        self._failures: deque[str] = deque(maxlen=_FAILURES)
        self._retries: dict[int, int] = {}
        self._copies_said = 0.0

    def say(self, text: str) -> None:
        """Prints a sentence as it is: brackets are no markup. A terminal breaks it between words, not in figures."""
        if not self.quiet:
            self.console.print(Text(text), soft_wrap=not self.console.is_terminal)

    def data_loaded(self, requests: Sequence[RequestData]) -> None:
        """Says what will be forgotten, before any work, and what there is to know about the data."""
        self._n_requests = len(requests)
        self.console.print(Text(forgetting_line([request.forgetting() for request in requests])), soft_wrap=True)
        left_out = [reason for request in requests for reason in left_out_notes(request.left_out, request.splits)]
        of_requests = [note for request in requests for note in request.splits.notes]
        copies = [request.splits.copies for request in requests]
        of_requests += [each.describe() for each in copies if each is not None and each.total]
        for note in dict.fromkeys([*requests[0].dataset.notes, *of_requests, *left_out]):
            self.say(f"  {note}")

    def copies_searched(self, share: float, elapsed_s: float) -> None:
        """Tells, every ten seconds, how far the search for copies of the images to forget has come."""
        now = time.monotonic()
        if share < 1 and min(elapsed_s, now - self._copies_said) >= _COPIES_EVERY_S:
            self._copies_said = now
            self.say(f"  looking for copies of the images to forget: {share:.0%}")

    def original_loaded(self, original: OriginalModel, accuracy: OriginalAccuracy, request: Forgetting) -> None:
        """Says how well the original model does."""
        if not self._measured:
            for note in original.notes:
                self.say(f"  {note}")
        self._measured = True
        of = f" for {request.describe_classes()}" if self._n_requests > 1 else ""
        self.say(f"Original model{of}: {accuracy.describe()}")

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

    def start(self, study: "StudyReader", slots: Callable[[], int] | None = None) -> None:
        """The search begins; `slots` says how many trials may be under way at the moment."""
        self._slots = slots
        self._study, self._started, self._done_before = study, time.monotonic(), study.n_finished()
        self.say(_begins(self._done_before, study))
        if self.quiet or study.is_over():
            return
        if self.console.is_terminal:
            self._live = Live(get_renderable=self._view, console=self.console, refresh_per_second=4, transient=True)
            self._live.start()
        else:
            self.say("Starting workers, 0 s")
            threading.Thread(target=self._wait_for_workers, name="waiting", daemon=True).start()

    def trial(self, record: TrialRecord) -> None:
        """A trial started, reported or ended."""
        if self._first_trial is None:
            self._first_trial = time.monotonic()
            if self._live is None and self._study is not None and not self._waited.is_set():
                self._waited.set()
                self.say(f"First trial started after {self._since_start()}")
        if record.error and record.state == "FAIL":
            self._failures.append(f"trial {record.number} failed: {record.error}")
        if record.state == "RUNNING" and record.retries > self._retries.get(record.number, record.retries):
            self.say(f"  {_LOST_WORKER.format(record.number)}")
        self._retries[record.number] = record.retries
        if self._live is not None:
            self._table = self._trials_table()
            self._live.refresh()
        if record.has_ended and self._live is None:
            self.say(self._line(record))

    def searched(self) -> None:
        """The search has ended; what follows are runs with fresh seeds."""
        self._waited.set()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def final(self, done: int, most: int, problem: str | None = None) -> None:
        """One run of a finalist is finished, or failed with a problem; there are `most` runs at most."""
        failed = f" failed: {problem}" if problem is not None else ""
        self.say(f"  finalists: run {done} of at most {most} with fresh seeds{failed}")

    def confirmed(self, done: int, total: int, problem: str | None = None) -> None:
        """One run with a fresh seed is finished, or failed with a problem."""
        failed = f" failed: {problem}" if problem is not None else ""
        self.say(f"  re-run {done} of {total} with a fresh seed{failed}")

    def close(self) -> None:
        """Gives the terminal back, whatever happened."""
        self.searched()

    def _line(self, record: TrialRecord) -> str:
        if record.state == "FAIL":
            return f"  trial {record.number} failed: {record.error}"
        forget, retain = (record.figures.get(name, float("nan")) for name in _SHOWN[:2])
        left = f"left {record.figures[DEPTH]:5.2f}, " if DEPTH in record.figures else ""
        return (
            f"  trial {record.number:>3} {record.state.lower()}: forget {forget:6.1%}, retain {retain:6.1%}, {left}"
            f"{record.duration_s:5.1f} s ({record.origin})   {self._counts()}"
        )

    def _counts(self) -> str:
        if self._study is None:
            return ""
        states = [record.state for record in self._study.records()]
        done = sum(state in ("COMPLETE", "PRUNED") for state in states)
        front = self._study.front()
        text = (
            f"{_progress(done, self._study.config.n_trials)} done, running {states.count('RUNNING')}, "
            f"failed {states.count('FAIL')}, front {len(front)}"
        )
        from tuning.views.terminal.live import duration  # noqa: PLC0415  (see `_trials_table`)

        left_s = self._left_s()
        return text if left_s is None else f"{text}, {duration(left_s)} left"

    def _left_s(self) -> float | None:
        """Seconds that the rest may take at the pace so far; None before the first trial is done, and at the end."""
        most = self._study.config.n_trials if self._study is not None else None
        if self._study is None or self._first_trial is None or most is None:
            return None
        done = self._study.n_finished()
        fresh, left = done - self._done_before, most - done
        return (time.monotonic() - self._first_trial) / fresh * left if fresh and left > 0 else None

    def _view(self) -> RenderableType:
        """What the live display shows; called in its thread too, which must not read the study."""
        if self._first_trial is None:
            return Text(f"Starting workers, {self._since_start()}")
        return self._table

    def _wait_for_workers(self) -> None:
        """Says without a terminal, which would show it, for how long workers have been starting."""
        while not self._waited.wait(_WAITING_EVERY_S):
            self.say(f"Starting workers, {self._since_start()}")

    def _since_start(self) -> str:
        from tuning.views.terminal.live import duration  # noqa: PLC0415  (see `_trials_table`)

        return duration(time.monotonic() - self._started)

    def _trials_table(self) -> RenderableType:
        if self._study is None:
            return Text("")
        from tuning.views.terminal.live import live_view  # noqa: PLC0415  (needs Optuna, as a study does)

        at_once = self._slots() if self._slots is not None else None
        return live_view(self._study, self._left_s(), at_once, tuple(self._failures))


def _progress(done: int, n_trials: int | None) -> str:
    return str(done) if n_trials is None else f"{done} of {max(done, n_trials)}"


def _begins(done: int, study: "StudyReader") -> str:
    """What a search is about to do; `n_trials` may have been lowered below what is finished."""
    n_trials, budget, where = study.config.n_trials, study.config.budget, study.config.directory
    if study.is_over():
        limit = f", and `n_trials` is {n_trials}" if n_trials is not None and done > n_trials else ""
        return f"No more trials to run in {where}: {done} {'has' if done == 1 else 'have'} finished{limit}"
    trials = "trials" if n_trials is None else f"{n_trials} trials"
    within = "" if budget is None else f" within a budget of {budget}"
    return f"Running {trials}{within}{f' ({done} already finished)' if done else ''} in {where}"
