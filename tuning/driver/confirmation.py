"""Running the chosen and the published trial again with fresh seeds, so that no one trusts a lucky one."""

from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from tuning.driver.capacity import TrialResources
from tuning.study.attributes import CONFIRMATIONS, Confirmation
from tuning.study.outcome import find_outcome
from tuning.study.reader import StudyReader
from tuning.study.study import Study
from tuning.trials.records import TrialRecord
from tuning.worker.messages import RunResult
from tuning.worker.tasks import run_once

_TRIES = 3
_LONGEST_REASON = 300


def missing_confirmations(study: StudyReader) -> list[tuple[TrialRecord, int]]:
    """Which trials still have to be run with which seeds."""
    outcome = find_outcome(study)
    done = {(run["number"], run["seed"]) for run in study.noted(CONFIRMATIONS, [])}
    wanted = {record.number: record for record in (outcome.published, outcome.chosen) if record is not None}
    return [
        (record, seed)
        for seed in study.plan.confirmation_seeds
        for record in wanted.values()
        if (record.number, seed) not in done
    ]


def confirm(
    study: Study, inputs: Any, share: TrialResources, on_done: Callable[[int, int, str | None], None]
) -> None:
    """Runs what is missing on the Ray cluster and keeps each result in the study as it arrives.

    A run that fails stays missing, and is tried again when the study is resumed; one whose worker dies is started
    anew at once, twice at most.

    Args:
        study: Holds the results afterwards.
        inputs: Ray reference of the `RequestInputs`.
        share: What a run takes.
        on_done: Called with the runs done, their number, and why the last one failed; None if it did not.
    """
    missing, plan = missing_confirmations(study), study.plan.for_workers()
    # Ray itself would start a run without end that is killed because the machine's memory is full.
    task = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_retries=0)(run_once)

    def start(record: TrialRecord, seed: int) -> Any:
        return task.remote(inputs, plan, record.params, seed, record.batch_halvings)

    waiting = {start(record, seed): (record, seed, 1) for record, seed in missing}
    while waiting:
        (ready,), _ = ray.wait(list(waiting), num_returns=1)
        record, seed, tries = waiting.pop(ready)
        problem = None
        try:
            result: RunResult = ray.get(ready)
        except RayError as error:
            if tries < _TRIES and not isinstance(error, RayTaskError):
                waiting[start(record, seed)] = (record, seed, tries + 1)
                continue
            problem = f"trial {record.number}, {_reason(error)}"
        else:
            run: Confirmation = {
                "number": record.number,
                "seed": seed,
                "metrics": result.metrics,
                "counts": result.counts,
                "elapsed_s": result.elapsed_s,
            }
            study.note(CONFIRMATIONS, [*study.noted(CONFIRMATIONS, []), run])
        on_done(len(missing) - len(waiting), len(missing), problem)


def _reason(error: RayError) -> str:
    """What was raised in the worker, or what became of the worker, in a line."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return f"{type(cause).__name__}: {' '.join(str(cause).split())[:_LONGEST_REASON]}"
