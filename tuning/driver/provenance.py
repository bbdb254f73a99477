"""What a study has to know about its surroundings: the original model's metrics, fingerprints, versions, command."""

import platform
import sys
import time
from dataclasses import asdict
from importlib.metadata import version

import optuna
import ray
import torch

import antisample
from antisample.device import choose_device, describe_device
from antisample.metrics.forgetting import Forgetting
from antisample.validation.addresses import without_secrets
from tuning.study.identity import settle_identity
from tuning.study.model_source import PREPROCESSING
from tuning.study.plugins import note_plugins
from tuning.study.study import Study
from tuning.worker.fingerprints import check_fingerprints, fingerprints_of
from tuning.worker.inputs import RequestInputs, original_metrics

FORGETTING = "forgetting"
"""The note of a study that says what each of its requests forgets: classes, labels, images of each split."""


def record_provenance(study: Study, inputs: RequestInputs) -> str | None:
    """Keeps the facts in the study; those that cannot change are computed once.

    Returns:
        What is to be said of the study's directory, if it is a copy; see `settle_identity`.

    Raises:
        DataError: If data, splits or original model are not those of the study's first run.
    """
    first = inputs[0]
    fingerprints = fingerprints_of(inputs)
    is_new = study.noted("id") is None
    copied = settle_identity(study)
    if is_new:
        study.note("created_ms", time.time_ns() // 1_000_000)
    if study.noted("original") is None:
        metrics = original_metrics(study.config, inputs)
        study.note("fingerprints", fingerprints)
        study.note("original_counts", metrics.counts)
        study.note("images", {"train": len(first.dataset.train), "test": len(first.dataset.test)})
        study.note("class_names", list(first.dataset.class_names))
        study.note("forget_requests", [list(each.splits.forget_classes) for each in inputs])
        study.note(FORGETTING, [Forgetting.of(each.dataset, each.splits).describe() for each in inputs])
        study.note(PREPROCESSING, asdict(first.original.preprocessing))
        study.note("notes", list(first.notes))
        study.note("original", metrics.values)  # the last: where it is known, all of them are
    check_fingerprints(study.config.directory, study.noted("fingerprints", {}), fingerprints)
    study.note("command", " ".join(["antisample", *map(without_secrets, sys.argv[1:])]))
    study.note(
        "environment",
        {
            "antisample": antisample.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "ray": ray.__version__,
            "optuna": optuna.__version__,
            "mlflow": version("mlflow"),
            "device": describe_device(choose_device(study.config.device)),
            "initial weights": first.original.initial.origin,
            "machine": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} cores",
        },
    )
    note_plugins(study)
    return copied
