"""Delivering a study to MLflow outside of a search: `antisample mlflow sync` and `rebuild`."""

from dataclasses import dataclass

from mlflow.exceptions import MlflowException

from antisample.errors import ConfigError
from tuning.study.identity import refuse_copy
from tuning.study.reader import StudyReader
from tuning.views.mlflow.delivered import store_name
from tuning.views.mlflow.logged_model import deliver_model, find_model, register
from tuning.views.mlflow.payload import SearchSummary, StudyMetadata
from tuning.views.mlflow.runs import StudyRuns
from tuning.views.mlflow.tracker import Tracker
from tuning.views.mlflow.writer import MlflowWriter
from tuning.views.projections import FILES, write_projections


class DeliveryError(Exception):
    """The store could not be reached or refused something; the study is as it was, and can be delivered later."""


@dataclass(frozen=True)
class Delivery:
    """What a delivery has done.

    Attributes:
        store: The store, without user name and password.
        trials: Trials that the study has, and the store now, too.
        runs: Runs that were created.
        steps: Steps that were sent.
        ends: Trials whose end was sent.
        files: Files that were sent.
        models: Models that were sent.
        version: The version that the chosen model has in the registry; None if it was not asked for.
        link: Path and query of the study's runs in the MLflow UI.
    """

    store: str
    trials: int
    runs: int
    steps: int
    ends: int
    files: int
    models: int
    version: int | None
    link: str | None


def sync(study: StudyReader, uri: str, register_as: str | None = None, trial: int | None = None) -> Delivery:
    """Delivers what a store lacks of a study. Changes nothing in the study; safe while its search runs.

    Args:
        study: The study.
        uri: MLflow store or server.
        register_as: Name under which the chosen model goes into the registry; None leaves the registry alone.
        trial: The trial whose model goes there instead; it was packed.

    Returns:
        What was sent.

    Raises:
        DataError: If the search of the study never began, or its directory is a copy.
        DeliveryError: If the store does not answer or refuses something.
    """
    refuse_copy(study)
    view = MlflowWriter(StudyMetadata.of(study), uri)
    ending = SearchSummary.of(study)
    if ending is not None and not all((study.config.directory / name).is_file() for name in FILES):
        write_projections(study)
    records = study.rows()
    problem = Tracker(lambda: view, records).close(ending, timeout_s=None)
    if problem is not None:
        raise DeliveryError(f"{store_name(uri)}: {problem}")
    version = _registered(view, study, uri, register_as, trial) if register_as is not None else None
    sent = view.sent
    return Delivery(
        store_name(uri),
        len(records),
        view.runs.created,
        sent.steps,
        sent.ends,
        sent.files,
        sent.models,
        version,
        view.runs.link(),
    )


def _registered(view: MlflowWriter, study: StudyReader, uri: str, name: str, trial: int | None) -> int:
    ending = SearchSummary.of(study)
    chosen = ending.ends[-1].chosen if ending is not None else None
    number, facts = chosen if trial is None else trial, StudyMetadata.of(study)
    try:
        client, parent = view.runs.connect(), view.runs.parent().info
        if trial is not None:
            record = next(each for each in study.records() if each.number == trial)
            run_id = view.runs.child(record).info.run_id
            view.sent.models += deliver_model(client, facts, parent.experiment_id, parent.run_id, record, run_id)
        model = find_model(client, facts, parent.experiment_id, number) if number is not None else None
        if model is not None:
            return register(client, model, name)
    except MlflowException as error:
        raise DeliveryError(f"{store_name(uri)}: {error}") from error
    raise DeliveryError(
        f"{study.config.directory}: there is no MLflow model of a chosen trial to register; "
        "`antisample resume` creates it at the end of a search."
    )


def rebuild(study: StudyReader, uri: str) -> Delivery:
    """Makes the runs of a study anew in a store that has none of them; see `sync`.

    Raises:
        ConfigError: If the store holds runs of the study.
        DataError: If the search of the study never began.
        DeliveryError: If the store does not answer or refuses something.
    """
    runs = StudyRuns(StudyMetadata.of(study), uri)
    try:
        runs.connect()
    except Exception as error:
        raise DeliveryError(f"{store_name(uri)}: {error}") from error
    if runs.known():
        raise ConfigError(
            f"`--tracking-uri` must be a store without runs of this study, but {store_name(uri)} holds "
            f"{len(runs.known())}; `antisample mlflow sync` sends what is missing there."
        )
    return sync(study, uri)
