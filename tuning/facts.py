"""What a study has to know about its surroundings: the original model's metrics, fingerprints, versions, command."""

import platform
import sys
import time
import uuid

import mlflow
import optuna
import ray
import torch

import antisample
from antisample.device import choose_device, describe_device
from antisample.unlearning import UnlearnInputs, evaluate_finished
from tuning.study import Study


def note_facts(study: Study, inputs: UnlearnInputs) -> None:
    """Keeps the facts in the study; those that cannot change are computed once."""
    if study.noted("id") is None:
        study.note("id", uuid.uuid4().hex)
        study.note("created_ms", time.time_ns() // 1_000_000)
    if study.noted("original") is None:
        config = study.config.starting_config()
        model = inputs.original.build(inputs.dataset, choose_device(config.device))
        metrics = evaluate_finished(model, inputs, config)
        study.note("original", metrics.values)
        study.note("original_counts", metrics.counts)
        study.note("class_names", list(inputs.dataset.class_names))
        study.note("forget_classes", list(inputs.splits.forget_classes))
        study.note(
            "fingerprints",
            {
                "data": inputs.dataset.fingerprint,
                "splits": inputs.splits.fingerprint,
                "model": inputs.original.fingerprint,
            },
        )
    study.note("command", " ".join(["antisample", *sys.argv[1:]]))
    study.note(
        "environment",
        {
            "antisample": antisample.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "ray": ray.__version__,
            "optuna": optuna.__version__,
            "mlflow": mlflow.__version__,
            "device": describe_device(choose_device(study.config.device)),
            "initial weights": inputs.original.initial.origin,
            "machine": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} cores",
        },
    )
