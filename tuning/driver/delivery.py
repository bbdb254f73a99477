"""What leaves a study beside its journal: its rows in MLflow, what the report shows of models, the packed model."""

from importlib import import_module
from typing import TYPE_CHECKING

import torch

from antisample.errors import AntisampleError
from tuning.driver.diagnostics import inspect
from tuning.study.progress_listener import ProgressListener
from tuning.study.study import Study
from tuning.views.mlflow import StudyMetadata, Tracker
from tuning.worker.inputs import RequestInputs

if TYPE_CHECKING:
    from tuning.views.mlflow import MlflowWriter

_WANTED_AT_THE_END = ("tuning.views.mlflow.packaging", "torch._dynamo", "tuning.views.plots.study")
"""Modules for the exported model and the pictures; they take seconds to import, better beside trials than after."""


def start_tracker(study: Study) -> Tracker | None:
    """Starts to deliver to MLflow, beginning with what earlier drivers could not; None if tracking is off."""
    uri = study.config.mlflow_uri()
    if uri is None:
        return None
    facts = StudyMetadata.of(study)
    ahead = _WANTED_AT_THE_END if study.config.log_model and not study.is_over() else ()

    def open_view() -> "MlflowWriter":
        from tuning.views.mlflow import MlflowWriter  # noqa: PLC0415  (imports MLflow)

        for module in ahead:
            import_module(module)
        return MlflowWriter(facts, uri)

    return Tracker(open_view, study.rows())


def look_inside(study: Study, inputs: RequestInputs, progress: ProgressListener) -> None:
    """Keeps what the report shows of models and anti-samples; without it the outcome is as good."""
    try:
        inspect(study, inputs)
    except (AntisampleError, torch.OutOfMemoryError) as error:
        progress.say(f"The report cannot show details of the chosen trial: {error}")


def pack(study: Study, inputs: RequestInputs, progress: ProgressListener) -> None:
    """Makes the MLflow model of the chosen trial, which the tracker delivers with the end of the search."""
    from tuning.views.mlflow import pack_model  # noqa: PLC0415  (imports MLflow)

    reason = pack_model(study, inputs[0])
    if reason is not None:
        progress.say(f"The model of the chosen trial is not logged to MLflow, since it cannot be exported: {reason}")
