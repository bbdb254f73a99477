"""Running trials again with fresh seeds on the Ray cluster."""

from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from antisample.unlearning import Measures
from tuning.driver.capacity import TrialResources
from tuning.study.study import Study
from tuning.trials.records import TrialRecord
from tuning.worker.messages import RunResult
from tuning.worker.tasks import run_once

_TRIES = 3
_LONGEST_REASON = 300

Ended = Callable[[TrialRecord, int, RunResult | str, bool], None]
"""Gets the trial, the seed, the result or why there is none, and whether the run itself failed, not its worker."""


def run_again(
    study: Study,
    inputs: Any,
    share: TrialResources,
    wanted: Sequence[tuple[TrialRecord, int]],
    ended: Ended,
    measures: Measures | None = None,
) -> None:
    """Runs trials with seeds, as many at once as the cluster has room for; one whose worker dies twice more at most.

    Args:
        study: Says what a run is.
        inputs: Ray reference of the `RequestInputs`.
        share: What a run takes.
        wanted: Trials and seeds.
        ended: Called as each ends.
        measures: By what the models are measured; by default everything that the study asks for.
    """
    plan = study.plan.for_workers()
    # Ray itself would start a run without end that is killed because the machine's memory is full.
    task = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_retries=0)(run_once)

    def start(record: TrialRecord, seed: int) -> Any:
        return task.remote(inputs, plan, record.params, seed, record.batch_halvings, measures)

    waiting = {start(record, seed): (record, seed, 1) for record, seed in wanted}
    while waiting:
        (ready,), _ = ray.wait(list(waiting), num_returns=1)
        record, seed, tries = waiting.pop(ready)
        try:
            result: RunResult = ray.get(ready)
        except RayError as error:
            by_itself = isinstance(error, RayTaskError)
            if tries < _TRIES and not by_itself:
                waiting[start(record, seed)] = (record, seed, tries + 1)
                continue
            ended(record, seed, _reason(error), by_itself)
        else:
            ended(record, seed, result, False)


def _reason(error: RayError) -> str:
    """What was raised in the worker, or what became of the worker, in a line."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return f"{type(cause).__name__}: {' '.join(str(cause).split())[:_LONGEST_REASON]}"
