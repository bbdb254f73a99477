"""What a study has to know about its surroundings: the original model's metrics, fingerprints, versions, command."""

import platform
import sys
import time
from importlib.metadata import version
from statistics import fmean

import optuna
import ray
import torch

import antisample
from antisample.device import choose_device, describe_device
from antisample.metrics.forgetting import Forgetting
from antisample.validation.addresses import without_secrets
from tuning.study.attributes import (
    BASELINES,
    CLASS_NAMES,
    COMMAND,
    CREATED_MS,
    ENVIRONMENT,
    FINGERPRINTS,
    FORGET_REQUESTS,
    FORGETTING,
    ID,
    IMAGES,
    NOTES,
    ORIGINAL,
    ORIGINAL_COUNTS,
    PREPROCESSING,
    RETRAINING,
    Preprocessing,
    Retraining,
)
from tuning.study.identity import settle_identity
from tuning.study.plugins import note_plugins
from tuning.study.study import Study
from tuning.worker.fingerprints import check_fingerprints, fingerprints_of
from tuning.worker.inputs import RequestInputs, baseline_metrics, labels_of, original_metrics


def record_provenance(study: Study, inputs: RequestInputs) -> str | None:
    """Keeps the facts in the study; those that cannot change are computed once.

    Returns:
        What is to be said of the study's directory, if it is a copy; see `settle_identity`.

    Raises:
        DataError: If data, splits or original model are not those of the study's first run.
    """
    first = inputs[0]
    fingerprints = fingerprints_of(inputs)
    is_new = study.noted(ID) is None
    copied = settle_identity(study)
    if is_new:
        study.note(CREATED_MS, time.time_ns() // 1_000_000)
    if study.noted(ORIGINAL) is None:
        metrics = original_metrics(study.plan, inputs)
        study.note(FINGERPRINTS, fingerprints)
        study.note(ORIGINAL_COUNTS, metrics.counts)
        study.note(IMAGES, {"train": len(first.dataset.train), "test": len(first.dataset.test)})
        study.note(CLASS_NAMES, list(first.dataset.class_names))
        study.note(FORGET_REQUESTS, labels_of(inputs))
        study.note(FORGETTING, [Forgetting.of(each.dataset, each.splits).describe() for each in inputs])
        mean, std = first.original.preprocessing.mean, first.original.preprocessing.std
        preprocessing: Preprocessing = {"mean": list(mean), "std": list(std)}
        study.note(PREPROCESSING, preprocessing)
        study.note(NOTES, list(first.notes))
        study.note(BASELINES, baseline_metrics(study.plan, inputs))
        study.note(RETRAINING, _retraining(study, inputs))
        study.note(ORIGINAL, metrics.values)  # the last: where it is known, all of them are
    earlier = study.noted(FINGERPRINTS, {})
    check_fingerprints(study.config.directory, earlier, fingerprints)
    study.note(COMMAND, " ".join(["antisample", *map(without_secrets, sys.argv[1:])]))
    environment: dict[str, str] = {
        "antisample": antisample.__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "ray": ray.__version__,
        "optuna": optuna.__version__,
        "mlflow": version("mlflow"),
        "device": describe_device(choose_device(study.config.device)),
        "initial weights": first.original.initial.origin,
        "machine": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} cores",
    }
    study.note(ENVIRONMENT, environment)
    note_plugins(study)
    return copied


def _retraining(study: Study, inputs: RequestInputs) -> Retraining:
    """The means over the requests, as for a trial, and over their references."""
    retraining: Retraining = {
        "epochs": study.config.model.recipe.epochs,
        "retain_images": round(fmean(len(each.splits.retain) for each in inputs)),
    }
    seconds = [reference.elapsed_s for each in inputs for reference in each.references]
    return {**retraining, "seconds": fmean(seconds)} if seconds else retraining
