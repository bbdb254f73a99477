"""The bridge from Ray Tune's scheduling to the study: reports go in, and whether the trial goes on comes out."""

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tuning.driver.error_capture import ErrorCapture
from tuning.study.study import Study
from tuning.worker.messages import report_in


class StudyScheduler(FIFOScheduler):
    """A Ray scheduler over a `Study`, which decides, and has recorded a stop before Ray hears of it.

    Args:
        study: Takes reports and decides.
        errors: Keeps what ends the search.
    """

    def __init__(self, study: Study, errors: ErrorCapture) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._study, self._errors = study, errors
        self._controller: Any = None

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Ray's hook; the controller is kept for `end_workers`."""
        super().on_trial_add(tune_controller, trial)
        self._controller = tune_controller

    def end_workers(self) -> None:
        """Ends the workers of a search that was left without waiting for them, and gives their resources back."""
        if self._controller is not None:
            self._controller._actor_manager.cleanup()
            self._controller = None

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:  # noqa: ARG002
        """None: Ray takes waiting trials in their order by itself.

        `FIFOScheduler` looks through all trials at every event, and gives the worker that has ended a trial to one
        whose own worker still starts, which ends that worker: where trials are short it would never be used.
        """
        return None

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:  # noqa: ARG002
        """Records an epoch; STOP if the study has stopped the trial."""
        report = report_in(result, self._study.token)
        if report is None:
            return TrialScheduler.CONTINUE
        with self._errors.capturing():
            goes_on = self._study.report(trial.trial_id, report.epoch())
        return TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP

    def __getstate__(self) -> dict[str, Any]:
        """Ray pickles its tuner for a restore that is never used here: resuming goes through the study."""
        return {}
