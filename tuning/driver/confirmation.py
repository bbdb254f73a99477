"""Running the chosen and the published trial again with fresh seeds, so that no one trusts a lucky one."""

from collections.abc import Callable
from statistics import fmean
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from antisample.determinism import deterministic
from antisample.plugins.discovery import Plugin
from antisample.unlearning import unlearn
from tuning.config.study import StudyConfig
from tuning.driver.capacity import TrialResources
from tuning.study.outcome import find_outcome
from tuning.study.plugins import trial_plugins
from tuning.study.reader import StudyReader
from tuning.study.study import Study
from tuning.trials.records import TrialRecord
from tuning.worker.fingerprints import check_node
from tuning.worker.inputs import RequestInputs, counts_of, mean

_NOTE = "confirmations"
_TRIES = 3
_LONGEST_REASON = 300


def missing_confirmations(study: StudyReader) -> list[tuple[TrialRecord, int]]:
    """Which trials still have to be run with which seeds."""
    outcome = find_outcome(study)
    done = {(run["number"], run["seed"]) for run in study.noted(_NOTE, [])}
    wanted = {record.number: record for record in (outcome.published, outcome.chosen) if record is not None}
    return [
        (record, seed)
        for seed in study.config.confirmation_seeds()
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
    missing, config = missing_confirmations(study), study.config.for_workers()
    plugins = trial_plugins(study.config)
    # Ray itself would start a run without end that is killed because the machine's memory is full.
    task = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_retries=0)(_run)

    def start(record: TrialRecord, seed: int) -> Any:
        return task.remote(inputs, config, record.params, seed, record.batch_halvings, plugins)

    waiting = {start(record, seed): (record, seed, 1) for record, seed in missing}
    while waiting:
        (ready,), _ = ray.wait(list(waiting), num_returns=1)
        record, seed, tries = waiting.pop(ready)
        problem = None
        try:
            result = ray.get(ready)
        except RayError as error:
            if tries < _TRIES and not isinstance(error, RayTaskError):
                waiting[start(record, seed)] = (record, seed, tries + 1)
                continue
            problem = f"trial {record.number}, {_reason(error)}"
        else:
            study.note(_NOTE, [*study.noted(_NOTE, []), {"number": record.number, "seed": seed, **result}])
        on_done(len(missing) - len(waiting), len(missing), problem)


def _reason(error: RayError) -> str:
    """What was raised in the worker, or what became of the worker, in a line."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return f"{type(cause).__name__}: {' '.join(str(cause).split())[:_LONGEST_REASON]}"


def _run(
    inputs: RequestInputs,
    study: StudyConfig,
    params: dict[str, Any],
    seed: int,
    batch_halvings: int,
    plugins: tuple[Plugin, ...] = (),
) -> dict[str, Any]:
    """Every forget request with one seed."""
    check_node(plugins)
    configs = [study.unlearn_config(params, seed, request) for request in range(len(inputs))]
    with deterministic(study.resources.cpus_per_trial):
        ends = [
            list(unlearn(config.with_batches_halved(batch_halvings), each))[-1]
            for config, each in zip(configs, inputs, strict=True)
        ]
    return {
        "metrics": mean([end.metrics.values for end in ends]),
        "counts": counts_of(study, inputs),
        "elapsed_s": fmean(end.elapsed_s for end in ends),
    }
