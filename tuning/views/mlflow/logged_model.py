"""The chosen model as an MLflow model: made when a search ends, delivered once a store, registered on request."""

import shutil
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, Metric
from mlflow.exceptions import MlflowException

from antisample.storage.regular_files import check_inside, check_tree
from tuning.trials.records import TrialRecord
from tuning.views.mlflow.batches import batches
from tuning.views.mlflow.parent import data_set
from tuning.views.mlflow.payload import STUDY_TAG, TRIAL_TAG, StudyMetadata, final_metrics, step_metrics

FOLDER = "mlflow-model"


def model_folder(directory: Path, trial: int) -> Path:
    """Where a study keeps the MLflow model of a trial."""
    return directory / FOLDER / f"trial-{trial:05d}"


def deliver_model(
    client: MlflowClient, facts: StudyMetadata, experiment_id: str, parent_id: str, record: TrialRecord, run_id: str
) -> bool:
    """Logs the MLflow model of a trial as an output of the study's run, unless the store has it.

    A model that an earlier delivery left unfinished is gone on with, so that there is one. It has the trial's
    parameters, its metrics on the study's images, and the study's run as its source.

    Args:
        client: Of the store.
        facts: The study.
        experiment_id: Its experiment.
        parent_id: Its run.
        record: The trial.
        run_id: The trial's run.

    Returns:
        Whether there was something to do.
    """
    trial = record.number
    folder = model_folder(facts.directory, trial)
    if not folder.is_dir():
        return False
    model = find_model(client, facts, experiment_id, trial)
    if model is not None and model.status == "READY":
        _link(client, model, parent_id)  # the run that it was made for may have been deleted
        return False
    if model is None:
        tags = {STUDY_TAG: facts.study_id, TRIAL_TAG: str(trial), "antisample.origin": str(record.origin)}
        params = {param.key: param.value for param in facts.trial_params(record)}
        name = f"{facts.name}-trial-{trial}"
        model = client.create_logged_model(experiment_id, name, parent_id, tags, params)
    check_tree(folder, facts.directory)  # MLflow would follow a link and send what it leads to
    client.log_model_artifacts(model.model_id, str(folder))
    _link(client, model, parent_id)
    for batch in batches(_metrics(facts, record, model.model_id)):
        client.log_batch(run_id, **batch)
    client.finalize_logged_model(model.model_id, "READY")
    return True


def _metrics(facts: StudyMetadata, record: TrialRecord, model_id: str) -> list[Metric]:
    """The trial's last figures as those of the model, with the images that they were measured on.

    MLflow takes a model's metrics through a run: the trial's has these very points, so that nothing is added to it.
    """
    data = data_set(**facts.data).dataset if facts.data is not None else None
    name, digest = (data.name, data.digest) if data is not None else (None, None)
    return [
        Metric(one.key, one.value, one.timestamp, one.step, model_id, name, digest)
        for one in final_metrics(record) or step_metrics(record, record.steps[-1:])
    ]


def _link(client: MlflowClient, model: LoggedModel, parent_id: str) -> None:
    """Makes a model an output of the study's run, once."""
    outputs = client.get_run(parent_id).outputs
    if model.model_id not in [output.model_id for output in (outputs.model_outputs if outputs else ())]:
        client.log_outputs(parent_id, [LoggedModelOutput(model.model_id, 0)])


def find_model(client: MlflowClient, facts: StudyMetadata, experiment_id: str, trial: int) -> LoggedModel | None:
    """The MLflow model of a trial in a store, finished or not."""
    wanted = f"tags.`{STUDY_TAG}` = '{facts.study_id}' AND tags.`{TRIAL_TAG}` = '{trial}'"
    models = client.search_logged_models([experiment_id], wanted)
    return min(models, key=lambda model: model.model_id, default=None)


def register(client: MlflowClient, model: LoggedModel, name: str) -> int:
    """Puts a model into the registry, once.

    Args:
        client: Of the store.
        model: A finished one.
        name: The registered model; made if missing.

    Returns:
        The version that it has there.
    """
    for version in client.search_model_versions(f"name = '{name}'"):
        if version.model_id == model.model_id or version.source == model.artifact_location:
            return int(version.version)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    place, run_id = model.artifact_location, model.source_run_id
    made = client.create_model_version(name, place, run_id, model_id=model.model_id)
    return int(made.version)


def keep_only(folder: Path) -> None:
    """Removes the models of trials that are not chosen any more.

    Raises:
        OSError: If the folder of the models is a link.
    """
    check_inside(folder, folder.parents[1])
    for other in folder.parent.glob("trial-*"):
        if other != folder:
            shutil.rmtree(other)
