"""Delivering a study to MLflow."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import typer

from antisample.errors import ConfigError
from tuning.applied_trial import find_trial
from tuning.cli.overriding import check_uri
from tuning.study.directory import open_study
from tuning.study.model_source import noted_model
from tuning.study.outcome import find_outcome, no_choice
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord
from tuning.trust.addresses import check_stores, object_stores, with_tracking
from tuning.trust.consent import check_code
from tuning.trust.named_code import named_code
from tuning.trust.own_studies import agreed_of_study
from tuning.views.mlflow import Delivery, DeliveryError, pack_model, rebuild, sync
from tuning.views.mlflow.logged_model import model_folder
from tuning.views.terminal.console import output, print_json
from tuning.views.terminal.outcome import print_mlflow
from tuning.views.terminal.progress import Progress
from tuning.worker.inputs import load_requests


def mlflow_sync(
    directory: Path,
    *,
    tracking_uri: str | None,
    register_as: str | None,
    trial: int | None,
    storage: str | None,
    allow_code: bool,
    allow_address: list[str] | None,
    as_json: bool,
) -> None:
    """Delivers what MLflow lacks of a study."""
    if trial is not None and register_as is None:
        raise ConfigError("`--trial` specifies the model for `--register`, so it cannot be used without it.")
    if tracking_uri is not None:
        check_uri(tracking_uri)
    study = open_study(directory, storage=storage)
    uri = with_tracking(study.config, directory, tracking_uri).mlflow_uri()
    if uri is None:
        raise ConfigError(f"{directory}: the study's `tracking_uri` is none, so `--tracking-uri` is required.")
    if trial is not None:
        progress = Progress(output(stderr=as_json))
        record, kept = find_trial(study, str(trial)), agreed_of_study(directory)
        check_stores(object_stores(study.config.data, study.config.storage_path), kept, allow_address)
        check_code(named_code(study.config.model), progress.say, allowed=allow_code, agreed_to=kept)
        _pack(study, record, progress)
    elif register_as is not None and (outcome := find_outcome(study)).nearest is not None:
        raise ConfigError(no_choice(outcome))
    _deliver(partial(sync, register_as=register_as, trial=trial), study, uri, as_json, trial)


def _pack(study: StudyReader, record: TrialRecord, progress: Progress) -> None:
    """Makes the MLflow model of a trial that was not chosen, unless it is there."""
    if model_folder(study.config.directory, record.number).is_dir():
        return
    inputs = load_requests(study.plan.with_model(noted_model(study)), progress)
    reason = pack_model(study, inputs[0], record)
    if reason is not None:
        raise DeliveryError(f"The model of trial {record.number} cannot be exported: {reason}")
    if not model_folder(study.config.directory, record.number).is_dir():
        raise ConfigError(
            f"`--trial` must be on the front, whose models are kept, but got {record.number}; "
            "`antisample unlearn` can recreate the model of any trial."
        )


def mlflow_rebuild(directory: Path, *, tracking_uri: str, storage: str | None, as_json: bool) -> None:
    """Makes the runs of a study anew in a store that has none of them."""
    _deliver(rebuild, open_study(directory, storage=storage), tracking_uri, as_json)


def _deliver(
    deliver: Callable[[StudyReader, str], Delivery],
    study: StudyReader,
    uri: str,
    as_json: bool,
    trial: int | None = None,
) -> None:
    check_uri(uri)
    try:
        done = deliver(study, uri)
    except DeliveryError as error:
        sys.stderr.write(f"MLflow is missing parts of this study: {error}\n")
        raise typer.Exit(1) from None
    if as_json:
        print_json(asdict(done))
        return
    console = output()
    console.print(
        f"{done.store} has all {done.trials} trials of {study.config.directory}. Sent: {done.runs} new runs, "
        f"{done.steps} steps, {done.ends} trial ends, {done.files} files, {done.models} models.",
        soft_wrap=True,
    )
    if done.version is not None:
        which = "chosen model" if trial is None else f"model of trial {trial}"
        console.print(f"The {which} is version {done.version} in the registry.")
    print_mlflow(console, uri, done.link)
