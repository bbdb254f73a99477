"""The thread that delivers while a search goes on; a dead or hanging server delays nothing but itself."""

import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from tuning.trials.records import TrialRecord
from tuning.views.mlflow.payload import SearchSummary

if TYPE_CHECKING:
    from tuning.views.mlflow.writer import MlflowWriter

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_LAST_ATTEMPTS = 3
_UNREACHABLE = re.compile(
    r"(?<=\] )(Connection refused|No route to host|Network is unreachable)|Name or service not known"
    r"|Read timed out|Connection to \S+ timed out|too many \d+ error responses|Remote end closed"
)
_REFUSALS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")


class Tracker:
    """Feeds an `MlflowWriter` from a background thread. What it cannot deliver stays in the study for the next one.

    A store that does not answer is tried again after pauses that grow from 1 s to 60 s. A trial that the store
    refuses twice is left out, so that it does not hold up the others.

    Args:
        open_view: Gives the view that receives the trials; called in the thread, when a trial has reported: MLflow
            takes seconds to import, which the first trial would wait for.
        records: Trials to deliver first, as far as the store lacks them.
    """

    def __init__(self, open_view: "Callable[[], MlflowWriter]", records: Iterable[TrialRecord] = ()) -> None:
        self._open_view = open_view
        self._view: MlflowWriter | None = None
        self._pending = {record.number: record for record in records}
        self._changed = threading.Condition()
        self._closing = False
        self._ending: SearchSummary | None = None
        self._refused: dict[int, str] = {}
        self._problem: str | None = None
        self._complete = False
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def submit(self, record: TrialRecord) -> None:
        """Hands over the newest state of a trial; returns at once."""
        with self._changed:
            self._pending[record.number] = record
            self._changed.notify()

    def close(self, ending: SearchSummary | None, timeout_s: float | None) -> str | None:
        """Delivers the rest.

        Args:
            ending: The end of the search; None if it was interrupted.
            timeout_s: Wait no longer than this; None waits as long as the store answers.

        Returns:
            What is missing in MLflow and why, or None if it has everything.
        """
        with self._changed:
            self._closing, self._ending = True, ending
            self._changed.notify()
        try:
            self._thread.join(timeout_s)
        except KeyboardInterrupt:
            return "The delivery was interrupted."
        if self._complete:
            return next((f"Trial {number}: {reason}" for number, reason in self._refused.items()), None)
        return self._problem or f"Not everything was sent within {timeout_s:.0f} s."

    def link(self) -> str | None:
        """Path and query of the study's runs in the MLflow UI; None if the store has not answered yet."""
        return self._view.runs.link() if self._view is not None else None

    def _work(self) -> None:
        pause_s, attempts_left = _FIRST_PAUSE_S, _LAST_ATTEMPTS
        with self._changed:
            self._changed.wait_for(lambda: self._closing or any(trial.steps for trial in self._pending.values()))
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._closing)
                number = next(iter(self._pending), None)
                record = self._pending.pop(number) if number is not None else None
            try:
                view = self._view = self._view or self._open_view()
                if record is not None:
                    view.write(record)
                else:
                    view.finish(self._ending)
                    self._complete = True
                    return
                self._refused.pop(record.number, None)
                pause_s, self._problem = _FIRST_PAUSE_S, None
                continue
            except Exception as error:  # whatever it is, the search goes on
                self._problem = _describe(error)
                if self._view is not None:
                    self._view.reset()
                if record is not None and self._put_back(record, error):
                    continue
            with self._changed:
                if self._closing:
                    attempts_left -= 1
                    if not attempts_left:
                        return
                    self._changed.wait_for(lambda: False, _FIRST_PAUSE_S)
                else:
                    self._changed.wait_for(lambda: self._closing, pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _put_back(self, record: TrialRecord, error: Exception) -> bool:
        """Queues a trial again, unless the store refused it before. Whether to go on at once."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415  (see the package)

        refused = isinstance(error, MlflowException) and error.error_code in _REFUSALS
        if refused and record.number in self._refused:
            return True
        if refused:
            self._refused[record.number] = _describe(error)
        with self._changed:
            self._pending.setdefault(record.number, record)
        return False


def _describe(error: Exception) -> str:
    text = " ".join(str(error).split())
    unreachable = _UNREACHABLE.search(text)
    if unreachable is not None:
        return f"The server does not respond ({unreachable[0]})."
    return text[:300] or type(error).__name__
