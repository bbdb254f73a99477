"""The bridge from Ray Tune to the study: Ray asks here for trials and tells here how they go."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ray.tune.search import Searcher

from tuning.driver.error_capture import ErrorCapture
from tuning.study.study import Study
from tuning.trials.failures import FailureKind, interrupted
from tuning.trials.records import TrialRecord
from tuning.worker.messages import (
    FinishedReplicate,
    TrialAssignment,
    TrialFailure,
    TrialReport,
    failure_in,
    report_in,
)


class StudySearcher(Searcher):
    """A Ray searcher over a `Study`; it keeps no state of its own, so nothing can drift apart.

    Args:
        study: Suggests trials and takes results.
        slots: Says how many trials may be under way at the moment: a machine may die or join.
        errors: Keeps what ends the search.
        deadline: `time.monotonic()` after which nothing new starts; None for no limit.
    """

    def __init__(
        self, study: Study, slots: Callable[[], int], errors: ErrorCapture, deadline: float | None = None
    ) -> None:
        super().__init__()
        self._study, self._slots, self._errors, self._deadline = study, slots, errors, deadline

    def suggest(self, trial_id: str) -> Any:
        """Gives Ray the configuration of the next trial, None to wait, or FINISHED."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return Searcher.FINISHED
        if self._study.n_running() >= self._slots():
            return None
        with self._errors.capturing():
            record = self._study.ask(trial_id)
        if record is None:
            return Searcher.FINISHED if self._study.is_over() else None
        return self._assignment(trial_id, record).to_config()

    def _assignment(self, trial_id: str, record: TrialRecord) -> TrialAssignment:
        assigned = TrialAssignment(
            number=record.number, params=record.params, seeds=record.seeds, token=self._study.token
        )
        replicate = self._study.replicate_of(trial_id)
        if replicate is not None:
            epochs = sum(epoch.replicate == replicate for epoch in record.steps)
            return replace(
                assigned,
                step=epochs,
                replicate=replicate,
                until=self._study.until_of(trial_id),
                batch_halvings=record.batch_halvings,
            )
        finished = (
            FinishedReplicate(epoch.metrics, epoch.elapsed_s, epoch.evaluation_s, epoch.step)
            for epoch in record.steps
            if epoch.last
        )
        return replace(assigned, step=record.fidelity, finished=tuple(finished))

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Ray's hook; `StudyScheduler` has recorded the epoch already."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Ends a trial; called again by Ray with `error` if it raised, which does no harm."""
        with self._errors.capturing():
            if error:
                self._study.requeue(trial_id, "The worker process failed; see Ray's log.")
            else:
                self._complete(trial_id, report_in(result, self._study.token), failure_in(result))

    def _complete(self, trial_id: str, report: TrialReport | None, failure: TrialFailure | None) -> None:
        if failure is not None:
            self._study.fail(trial_id, failure.message, failure.kind)
        elif report is not None and report.result is not None:
            self._study.report(trial_id, report.epoch())  # Ray passes the last result to this hook alone
            self._study.complete(trial_id, **vars(report.result))
        elif report is not None and report.waits:
            self._study.report(trial_id, report.epoch())
            self._study.leave(trial_id)
        else:
            self._study.fail(trial_id, interrupted("it ended before its last epoch."), FailureKind.INTERRUPTED)

    def __getstate__(self) -> dict[str, Any]:
        """Ray pickles its tuner for a restore that is never used here: resuming goes through the study."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Ray's hook; the study is already on disk."""

    def restore(self, checkpoint_path: str) -> None:
        """Ray's hook; the study is already on disk."""
