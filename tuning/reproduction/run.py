"""Runs the jobs of a reproduction on Ray; what is finished already is read, not done again."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import ray
from ray.util.queue import Queue

from antisample.checkpoints.checkpoint import load_checkpoint
from antisample.data.class_names import joined_names
from antisample.datasets import is_registered
from antisample.device import choose_device, describe_device
from antisample.errors import ConfigError
from antisample.inputs import RequestData, UnlearnInputs, load_inputs, open_dataset, request_data
from antisample.metrics import left_out_families
from antisample.metrics.original_accuracy import check_original
from antisample.models.config import ModelConfig
from antisample.storage.atomic import check_writable
from antisample.types import Dataset, Preprocessing
from tuning.driver.capacity import this_machine
from tuning.reproduction.config import RETRAIN, ReproductionConfig
from tuning.reproduction.job import do_job, load_reference
from tuning.reproduction.plan import Job, plan_jobs, without_reference
from tuning.views.terminal.progress import Progress

TABLES = ("table.md", "table.csv", "table.tex", "results.csv")
"""The files that hold the figures of a reproduction."""

_POLL_S = 5.0
Result = dict[str, Any]
Launch = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class ReproductionOutcome:
    """What became of the jobs.

    Attributes:
        results: Of finished jobs, in the order of the plan.
        failures: Of each job that failed: its label, classes, seed_index, and error. Run again, they are tried again.
        inputs: Data and original model.
    """

    results: list[Result]
    failures: list[Result]
    inputs: UnlearnInputs


class InterruptedReproductionError(Exception):
    """The user stopped the run; finished jobs are kept.

    Attributes:
        outcome: What became of the jobs so far.
    """

    def __init__(self, outcome: ReproductionOutcome) -> None:
        super().__init__("The reproduction was stopped.")
        self.outcome = outcome


def reproduce(config: ReproductionConfig, progress: Progress, launch: Launch) -> ReproductionOutcome:
    """Runs or continues a reproduction.

    Args:
        config: What to do.
        progress: Told what happens.
        launch: Starts Ray for the length of a `with` block.

    Returns:
        What became of every job.

    Raises:
        AntisampleError: If the configuration does not fit the data, or the folder cannot be written.
        InterruptedReproductionError: If the user stopped it.
    """
    check_writable(config.out, TABLES)
    check_writable(config.out / "results")
    device = choose_device(config.device)
    progress.say(f"Device: {describe_device(device)}")
    dataset = open_dataset(config.data, config.split)
    jobs = plan_jobs(config, dataset.name, dataset.class_names)
    requests = _requests(jobs, dataset)
    progress.data_loaded(list(requests.values()))
    plain = without_reference(config.evaluation)
    first = jobs[0].config.model_copy(update={"evaluation": plain})
    inputs = load_inputs(first, progress, requests[jobs[0].classes])
    original = inputs.original
    model = _stating(config.model, original.preprocessing)
    jobs = [replace(job, config=job.config.model_copy(update={"model": model})) for job in jobs]
    if inputs.original_validation is not None and not config.model.accept_original:
        for request in requests.values():
            check_original(inputs.original_validation, dataset, request.splits)
    folder = config.out / "results"
    fingerprint = f"{dataset.fingerprint} {original.fingerprint} {original.initial.origin}"
    paths = {job: (folder / job.file_name(fingerprint)).resolve() for job in jobs}
    results = {job: result for job in jobs if (result := _read(paths[job])) is not None}
    left = [job for job in jobs if job not in results]
    failures: list[Result] = []

    def outcome() -> ReproductionOutcome:
        return ReproductionOutcome([results[job] for job in jobs if job in results], failures, inputs)

    progress.say(f"{len(jobs)} jobs, {len(results)} of them already finished")
    if left:
        try:
            with launch():
                failures = _run(config, left, paths, results, dataset.class_names, progress)
        except KeyboardInterrupt:
            raise InterruptedReproductionError(outcome()) from None
    return outcome()


def _requests(jobs: list[Job], dataset: Dataset) -> dict[tuple[int, ...], RequestData]:
    """Finds out before hours of training whether every request can be split and measured."""
    requests: dict[tuple[int, ...], RequestData] = {}
    problems: dict[str, None] = {}
    for job in {(job.classes, job.config.evaluation.final): job for job in jobs}.values():
        plain = job.config.model_copy(update={"evaluation": without_reference(job.config.evaluation)})
        try:
            requests[job.classes] = request_data(plain, dataset)
            if "retrained" in job.config.evaluation.final:
                left_out_families(("retrained",), dataset, requests[job.classes].splits)
        except ConfigError as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise ConfigError(list(problems))
    return requests


def _stating(model: ModelConfig, preprocessing: Preprocessing) -> ModelConfig:
    """The model with the normalisation that was tried out here, where its checkpoint states none."""
    if model.checkpoint is None or model.mean is not None or model.normalisation is not None:
        return model
    if load_checkpoint(model.checkpoint).preprocessing(str(model.checkpoint)) is not None:
        return model
    return model.model_copy(update={"mean": preprocessing.mean, "std": preprocessing.std})


def _run(
    config: ReproductionConfig,
    left: list[Job],
    paths: dict[Job, Path],
    results: dict[Job, Result],
    class_names: Sequence[str],
    progress: Progress,
) -> list[Result]:
    share = config.worker_share()
    options = {"num_cpus": share.cpus, "num_gpus": share.gpus, "max_retries": 2}
    train, work = ray.remote(load_reference).options(**options), ray.remote(do_job).options(**options)
    told = Queue(actor_options={"num_cpus": 0})
    references: dict[tuple[tuple[int, ...], int], Any] = {}
    running: dict[Any, Job] = {}
    for job in left:
        reference = None
        if RETRAIN in config.methods:
            key = (job.classes, job.reference_seed)
            if key not in references:
                references[key] = train.remote(_absolute(job), share.cpus, told)
            reference = references[key]
        running[work.remote(_absolute(job), paths[job], share.cpus, reference)] = job
    references.clear()  # each is freed with the last job that needs it
    failures: list[Result] = []
    started, total = time.monotonic(), len(left)
    while running:
        finished_now, _ = ray.wait(list(running), num_returns=1, timeout=_POLL_S)
        while not told.empty():
            classes, *epoch = told.get()
            progress.training(f"the retrained reference without {_named(classes, class_names)}", *epoch)
        if not finished_now:
            continue
        (done,) = finished_now
        job = running.pop(done)
        what = f"{job.label}, forgetting {_named(job.classes, class_names)}"
        finished = total - len(running)
        try:
            result = ray.get(done)
        except ray.exceptions.RayError as error:
            result = {"error": str(error).strip().splitlines()[-1]}
        if "error" in result:
            failures.append(
                {"label": job.label, "classes": job.classes, "seed_index": job.seed_index, "error": result["error"]}
            )
            progress.say(f"  {finished}/{total} {what}: failed. {result['error']}")
            continue
        results[job] = result
        seconds = (time.monotonic() - started) / finished * len(running)
        values = result["values"]
        progress.say(
            f"  {finished}/{total} {what}: test forget "
            f"{values['test/forget_accuracy']:.1%}, retain {values['test/retain_accuracy']:.1%}; "
            f"about {_shown(seconds)} left"
        )
    mean_s = fmean(result["duration_s"] for result in results.values()) if results else 0.0
    progress.say(
        f"{len(results)} jobs finished, {len(failures)} failed; {mean_s:.1f} s per job on average, "
        f"{share.slots([this_machine()])} at once"
    )
    return failures


def _named(classes: tuple[int, ...], class_names: Sequence[str]) -> str:
    return joined_names([class_names[label] for label in classes])


def _absolute(job: Job) -> Job:
    """Ray's workers stand in a folder of their own."""
    data, model = job.config.data, job.config.model
    source = Path(data.source).expanduser()
    new_data = data.model_copy(
        update={
            "source": data.source if is_registered(data.source) or not source.exists() else str(source.resolve()),
            "root": data.root.resolve() if data.root is not None else None,
            "cache_dir": data.cache_dir if isinstance(data.cache_dir, str) else data.cache_dir.resolve(),
        }
    )
    weights = Path(model.initial_weights).expanduser()
    new_model = model.model_copy(
        update={
            "checkpoint": model.checkpoint.resolve() if model.checkpoint is not None else None,
            "initial_weights": str(weights.resolve()) if weights.is_file() else model.initial_weights,
        }
    )
    config = job.config.model_copy(update={"data": new_data, "model": new_model})
    return Job(job.label, job.classes, job.seed_index, config, job.reference_seed)


def _read(path: Path) -> Result | None:
    try:
        result: Result = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return result


def _shown(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
