"""Running the chosen and the published trial again with fresh seeds, so that no one trusts a lucky one."""

from collections.abc import Callable
from statistics import fmean
from typing import Any

import ray
import torch

from antisample.errors import AntisampleError
from antisample.unlearning import unlearn
from tuning.config import StudyConfig
from tuning.outcome import find_outcome
from tuning.requests import RequestInputs, counts_of, mean
from tuning.resources import WorkerShare
from tuning.study import Study
from tuning.study_view import StudyView

_NOTE = "confirmations"


def missing_confirmations(study: StudyView) -> list[tuple[int, dict[str, Any], int]]:
    """Which trials still have to be run with which seeds: triples of number, parameters and seed."""
    outcome = find_outcome(study)
    done = {(run["number"], run["seed"]) for run in study.noted(_NOTE, [])}
    wanted = {record.number: record for record in (outcome.published, outcome.chosen) if record is not None}
    return [
        (record.number, record.params, seed)
        for seed in study.config.confirmation_seeds()
        for record in wanted.values()
        if (record.number, seed) not in done
    ]


def confirm(study: Study, inputs: Any, share: WorkerShare, on_done: Callable[[int, int], None]) -> None:
    """Runs what is missing on the Ray cluster and keeps each result in the study as it arrives.

    Args:
        study: Holds the results afterwards.
        inputs: Ray reference of the `RequestInputs`.
        share: What a run takes.
        on_done: Called with the runs done and their number.
    """
    missing = missing_confirmations(study)
    task = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_retries=2)(_run)
    config = study.config.for_workers()
    waiting = {task.remote(inputs, config, params, seed): (number, seed) for number, params, seed in missing}
    while waiting:
        (ready,), _ = ray.wait(list(waiting), num_returns=1)
        number, seed = waiting.pop(ready)
        result = ray.get(ready)
        if result is not None:
            study.note(_NOTE, [*study.noted(_NOTE, []), {"number": number, "seed": seed, **result}])
        on_done(len(missing) - len(waiting), len(missing))


def _run(inputs: RequestInputs, study: StudyConfig, params: dict[str, Any], seed: int) -> dict[str, Any] | None:
    """Every forget request with one seed; None if one of them fails."""
    torch.set_num_threads(study.resources.cpus_per_trial)
    try:
        ends = [
            list(unlearn(study.unlearn_config(params, seed, request), each))[-1]
            for request, each in enumerate(inputs)
        ]
    except AntisampleError:
        return None
    return {
        "metrics": mean([end.metrics.values for end in ends]),
        "counts": counts_of(study, inputs),
        "elapsed_s": fmean(end.elapsed_s for end in ends),
    }
