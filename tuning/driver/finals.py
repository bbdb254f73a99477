"""Running finalists again, round by round, until one of them can be chosen."""

from typing import Any

from tuning.driver.capacity import TrialResources
from tuning.driver.fresh_runs import run_again
from tuning.study.attributes import FINALIST_RUNS, FinalistRun
from tuning.study.finals import find_finals
from tuning.study.progress_listener import ProgressListener
from tuning.study.study import Study, now_ms
from tuning.trials.needed_metrics import needed_measures
from tuning.trials.records import TrialRecord
from tuning.worker.messages import RunResult


def run_finals(study: Study, inputs: Any, share: TrialResources, progress: ProgressListener) -> None:
    """Runs what the finals lack on the Ray cluster and keeps each result in the study as it arrives.

    A run that fails puts its finalist out. One whose workers die stays missing, and ends the finals until the study
    is resumed.

    Args:
        study: Holds the results afterwards.
        inputs: Ray reference of the `RequestInputs`.
        share: What a run takes.
        progress: Is told of the runs.
    """
    lost = False

    def ended(record: TrialRecord, seed: int, result: RunResult | str, by_itself: bool) -> None:
        nonlocal lost
        if not isinstance(result, str):
            run = FinalistRun(
                number=record.number,
                seed=seed,
                metrics=_validation(result.metrics),
                elapsed_s=result.elapsed_s,
                spent_s=result.spent_s,
                ended_ms=now_ms(),
            )
        elif by_itself:
            run = FinalistRun(
                number=record.number, seed=seed, metrics={}, elapsed_s=0.0, error=result, ended_ms=now_ms()
            )
        else:
            lost = True
        if isinstance(result, RunResult) or by_itself:
            study.note(FINALIST_RUNS, [*study.noted(FINALIST_RUNS, []), run])
        finals = find_finals(study)
        problem = f"trial {record.number}, {result}" if isinstance(result, str) else None
        progress.final(len(finals.runs), study.config.selection.finalist_replicates, problem)

    while not lost and (missing := find_finals(study).missing):
        run_again(study, inputs, share, missing, ended, needed_measures(study.config))


def _validation(metrics: dict[str, float]) -> dict[str, float]:
    """What may decide: never figures on test images."""
    return {name: value for name, value in metrics.items() if name.startswith("validation/")}
