"""Runs the jobs of a reproduction on Ray; what is finished already is read, not done again."""

import json
import math
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import fmean
from typing import Any

import ray
import torch

from antisample.datasets import load_dataset
from antisample.device import choose_device, describe_device
from antisample.errors import DataError
from antisample.unlearning import UnlearnInputs, load_inputs
from tuning.progress import Progress
from tuning.reproduction.job import do_job, load_reference
from tuning.reproduction.plan import RETRAIN, Job, ReproductionConfig, plan_jobs, without_reference

Result = dict[str, Any]
Launch = Callable[[], AbstractContextManager[None]]


class InterruptedReproductionError(Exception):
    """The user stopped the run; finished jobs are kept."""


def reproduce(config: ReproductionConfig, progress: Progress, launch: Launch) -> tuple[list[Result], UnlearnInputs]:
    """Runs or continues a reproduction.

    Args:
        config: What to do.
        progress: Told what happens.
        launch: Starts Ray for the length of a `with` block.

    Returns:
        The results of all jobs, and data and original model.

    Raises:
        AntisampleError: If the configuration does not fit the data, or the folder cannot be written.
        InterruptedReproductionError: If the user stopped it.
    """
    device = choose_device(config.device)
    progress.say(f"Device: {describe_device(device)}")
    data = config.data
    dataset = load_dataset(
        data.source, root=data.root, download=data.download, image_size=data.image_size, cache_dir=data.cache_dir
    )
    jobs = plan_jobs(config, dataset.name, dataset.class_names)
    plain = without_reference(config.evaluation)
    inputs = load_inputs(jobs[0].config.model_copy(update={"evaluation": plain}), progress.training_epoch)
    folder = config.out / "results"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({error.strerror}).") from error
    original = inputs.original
    fingerprint = f"{dataset.fingerprint} {original.fingerprint} {original.initial.origin}"
    paths = {job: (folder / job.file_name(fingerprint)).resolve() for job in jobs}
    results = {job: known for job in jobs if (known := _read(paths[job])) is not None}
    left = [job for job in jobs if job not in results]
    progress.say(f"{len(jobs)} jobs, {len(results)} of them finished before")
    if left:
        with launch():
            try:
                _run(config, left, paths, results, progress)
            except KeyboardInterrupt:
                raise InterruptedReproductionError from None
    return [results[job] for job in jobs if job in results], inputs


def _run(
    config: ReproductionConfig,
    left: list[Job],
    paths: dict[Job, Path],
    results: dict[Job, Result],
    progress: Progress,
) -> None:
    gpus = config.gpus_per_job if choose_device(config.device).type == "cuda" else 0
    options = {"num_cpus": config.cpus_per_job, "num_gpus": gpus, "max_retries": 2}
    slots = max(1, len(os.sched_getaffinity(0)) // config.cpus_per_job)
    if gpus:
        slots = min(slots, max(1, math.floor(torch.cuda.device_count() / gpus)))
    train, work = ray.remote(load_reference).options(**options), ray.remote(do_job).options(**options)
    references: dict[tuple[tuple[int, ...], int], Any] = {}
    running: dict[Any, Job] = {}
    for job in left:
        reference = None
        if RETRAIN in config.methods:
            key = (job.classes, job.reference_seed)
            if key not in references:
                references[key] = train.remote(_absolute(job), config.cpus_per_job)
            reference = references[key]
        running[work.remote(_absolute(job), paths[job], config.cpus_per_job, reference)] = job
    started, total = time.monotonic(), len(left)
    while running:
        (done,), _ = ray.wait(list(running), num_returns=1)
        job = running.pop(done)
        try:
            result = ray.get(done)
        except ray.exceptions.RayError as error:
            result = {"error": str(error).strip().splitlines()[-1]}
        if "error" in result:
            progress.say(f"  {job.label} of {job.classes} failed: {result['error']}")
            continue
        results[job] = result
        finished = total - len(running)
        seconds = (time.monotonic() - started) / finished * len(running)
        values = result["values"]
        progress.say(
            f"  {finished}/{total} {job.label}, classes {', '.join(map(str, job.classes))}: test forget "
            f"{values['test/forget_accuracy']:.1%}, retain {values['test/retain_accuracy']:.1%}; "
            f"about {_shown(seconds)} left"
        )
    failed = total - sum(job in results for job in left)
    mean_s = fmean(result["duration_s"] for result in results.values()) if results else 0.0
    progress.say(f"{len(results)} jobs finished, {failed} failed; {mean_s:.1f} s a job on average, {slots} at once")


def _absolute(job: Job) -> Job:
    """Ray's workers stand in a folder of their own."""
    data, model = job.config.data, job.config.model
    source = Path(data.source).expanduser()
    new_data = data.model_copy(
        update={
            "source": str(source.resolve()) if source.exists() else data.source,
            "root": data.root.resolve() if data.root is not None else None,
            "cache_dir": data.cache_dir.resolve(),
        }
    )
    checkpoint = model.checkpoint.resolve() if model.checkpoint is not None else None
    new_model = model.model_copy(update={"checkpoint": checkpoint})
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
