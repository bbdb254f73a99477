"""One job of a reproduction, in a Ray worker: it writes its own result, so nothing finished is ever lost."""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from ray.util.queue import Queue

import antisample
from antisample.determinism import deterministic
from antisample.device import choose_device, describe_device
from antisample.errors import AntisampleError
from antisample.inputs import UnlearnInputs, load_inputs
from antisample.metrics import EvaluationSubject, RetrainedReference
from antisample.metrics.probe import untrained_network
from antisample.metrics.retrained_reference import ReferenceTraining
from antisample.storage.atomic import atomic_write
from antisample.unlearning import evaluate_finished, subject_of, unlearn
from tuning.reproduction.config import RETRAIN
from tuning.reproduction.plan import ORIGINAL, UNTRAINED, Job, without_reference


def load_reference(job: Job, threads: int, told: Queue) -> RetrainedReference:
    """Trains or finds the retrained reference that the jobs of a request are compared with.

    Args:
        job: One of these jobs.
        threads: Threads of torch.
        told: Gets the classes, the epoch, the number of epochs and the loss after each epoch of training.
    """
    with deterministic(threads):
        return _training(job, _inputs(job)).reference(
            choose_device(job.config.device),
            job.config.evaluation,
            lambda *epoch: told.put((job.classes, *epoch)),
            with_features="reference_similarity" in job.config.evaluation.final,
        )


def do_job(job: Job, path: Path, threads: int, reference: RetrainedReference | None) -> dict[str, Any]:
    """Does a job and writes its result to `path` in one step.

    Args:
        job: What to do.
        path: A JSON file; its folder exists.
        threads: Threads of torch.
        reference: The retrained reference, if the reproduction has one.

    Returns:
        The result; one with `error` is not written, so that it is tried again next time.
    """
    started = time.perf_counter()
    try:
        with deterministic(threads):
            content = _measure(job, reference)
    except AntisampleError as error:
        return {"label": job.label, "classes": job.classes, "error": f"{type(error).__name__}: {error}"}
    content |= {
        "duration_s": time.perf_counter() - started,
        "device": describe_device(choose_device(job.config.device)),
        "threads": threads,
        "versions": {"antisample": antisample.__version__, "torch": torch.__version__},
    }
    with atomic_write(path) as unfinished:
        unfinished.write_text(json.dumps(content))
    return content


def _inputs(job: Job) -> UnlearnInputs:
    """Data and original model; the reference comes separately, with its own seed."""
    return load_inputs(job.config.model_copy(update={"evaluation": without_reference(job.config.evaluation)}))


def _training(job: Job, inputs: UnlearnInputs) -> ReferenceTraining:
    config = job.config
    return ReferenceTraining(
        config.model.recipe,
        inputs.dataset,
        inputs.splits,
        inputs.original,
        config.data.cache_dir,
        job.reference_seed,
    )


def _measure(job: Job, reference: RetrainedReference | None) -> dict[str, Any]:
    config = job.config
    inputs = replace(_inputs(job), references=(reference,) if reference is not None else ())
    epochs: list[dict[str, Any]] = []
    elapsed_s = 0.0
    if job.label in (ORIGINAL, UNTRAINED, RETRAIN):
        device = choose_device(config.device)
        if job.label == ORIGINAL:
            model = inputs.original.build(inputs.dataset, device)
        elif job.label == UNTRAINED:
            model = untrained_network(inputs.original, inputs.dataset, config.evaluation.seed, device)
        else:
            model = _training(job, inputs).model(device)
            elapsed_s = reference.elapsed_s if reference is not None else 0.0
        subject = subject_of(model, inputs, config)
        metrics = evaluate_finished(model, inputs, config)
    else:
        running = unlearn(config, inputs)
        for report in running:
            if report.step == 0:  # of a method without epochs there is no curve
                continue
            names = ("validation/forget_accuracy", "validation/retain_accuracy")
            epochs.append({"loss": report.train_loss, **{name: report.metrics.values[name] for name in names}})
        found_s = sum(table.elapsed_s for table in inputs.neighbours.values())
        metrics, elapsed_s = report.metrics, report.elapsed_s + found_s
        subject = subject_of(running.model, inputs, config)
    return {
        "label": job.label,
        "classes": job.classes,
        "seed_index": job.seed_index,
        "config": config.model_dump(mode="json"),
        **asdict(metrics),
        "elapsed_s": elapsed_s,
        "reference_s": reference.elapsed_s if reference is not None else None,
        "epochs": epochs,
        "confusion": _test_confusion(subject),
    }


def _test_confusion(subject: EvaluationSubject) -> list[list[int]]:
    """Counts of test images by true and predicted class."""
    confusion: list[list[int]] = subject.predictions("test").confusion().tolist()
    return confusion
