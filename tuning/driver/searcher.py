"""The bridge from Ray Tune to the study: Ray asks here for trials and tells here how they go."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ray.tune.search import Searcher

from tuning.study.study import Study
from tuning.worker.trainable import ERROR_KEY, REPORT_KEY


class StudySearcher(Searcher):
    """A Ray searcher over a `Study`; it keeps no state of its own, so nothing can drift apart.

    Args:
        study: Suggests trials and takes results.
        slots: Says how many trials may be under way at the moment: a machine may die or join.
        deadline: `time.monotonic()` after which nothing new starts; None for no limit.
    """

    def __init__(self, study: Study, slots: Callable[[], int], deadline: float | None = None) -> None:
        super().__init__()
        self._study, self._slots, self._deadline = study, slots, deadline

    def suggest(self, trial_id: str) -> Any:
        """Gives Ray the configuration of the next trial, None to wait, or FINISHED."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return Searcher.FINISHED
        if self._study.n_running() >= self._slots():
            return None
        with self._study.capture_error():
            record = self._study.ask(trial_id)
        if record is None:
            return Searcher.FINISHED if self._study.is_over() else None
        return {
            "number": record.number,
            "params": record.params,
            "seeds": list(record.seeds),
            "step": record.fidelity,
            "finished": [asdict(step) for step in record.steps if step.last],
            "token": self._study.token,
        }

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Ray's hook; `StudyScheduler` has recorded the epoch already."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Ends a trial; called again by Ray with `error` if it raised, which does no harm."""
        report = report_of(result, self._study.token)
        reason = (result or {}).get(ERROR_KEY)
        with self._study.capture_error():
            self._complete(trial_id, report, reason, error)

    def _complete(self, trial_id: str, report: dict[str, Any] | None, reason: str | None, error: bool) -> None:
        if error:
            self._study.requeue(trial_id, "The worker process failed; see Ray's log.")
        elif reason:
            self._study.fail(trial_id, reason)
        elif report and "final" in report:
            final = report.pop("final")
            self._study.report(trial_id, report)  # Ray passes the last result to this hook alone
            self._study.complete(trial_id, **final)
        else:
            self._study.fail(trial_id, "Interrupted before its last epoch.")

    def __getstate__(self) -> dict[str, Any]:
        """Ray pickles its tuner for a restore that is never used here: resuming goes through the study."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Ray's hook; the study is already on disk."""

    def restore(self, checkpoint_path: str) -> None:
        """Ray's hook; the study is already on disk."""


def report_of(result: dict[str, Any] | None, token: str) -> dict[str, Any] | None:
    """The report of a step. It travels as text, since Ray flattens dictionaries at the slashes of metric names.

    Args:
        result: From Ray.
        token: Fencing token of the driver; a report to another one is dropped.
    """
    text = (result or {}).get(REPORT_KEY)
    report: dict[str, Any] | None = json.loads(text) if text else None
    return report if report is not None and report.pop("token") == token else None
