"""Delivering a study to MLflow."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import typer

from antisample.errors import ConfigError
from tuning.directory import open_study
from tuning.display import print_json, print_mlflow
from tuning.options import check_uri
from tuning.progress import output
from tuning.study_view import StudyView
from tuning.tracking import Delivery, DeliveryError, rebuild, sync


def mlflow_sync(directory: Path, tracking_uri: str | None, register_as: str | None, as_json: bool) -> None:
    """Delivers what MLflow lacks of a study."""
    study = open_study(directory)
    uri = tracking_uri or study.config.mlflow_uri()
    if uri is None:
        raise ConfigError(
            f"{directory}: the study's `tracking_uri` is none, so `--tracking-uri` must say where to deliver it."
        )
    _deliver(partial(sync, register_as=register_as), study, uri, as_json)


def mlflow_rebuild(directory: Path, tracking_uri: str, as_json: bool) -> None:
    """Makes the runs of a study anew in a store that has none of them."""
    _deliver(rebuild, open_study(directory), tracking_uri, as_json)


def _deliver(deliver: Callable[[StudyView, str], Delivery], study: StudyView, uri: str, as_json: bool) -> None:
    check_uri(uri)
    try:
        done = deliver(study, uri)
    except DeliveryError as error:
        sys.stderr.write(f"MLflow lacks some of this study: {error}\n")
        raise typer.Exit(1) from None
    if as_json:
        print_json(asdict(done))
        return
    console = output()
    console.print(
        f"{done.store} has all {done.trials} trials of {study.config.directory}. Sent: {done.runs} new runs, "
        f"{done.steps} steps, {done.ends} ends of trials, {done.files} files, {done.models} models.",
        soft_wrap=True,
    )
    if done.version is not None:
        console.print(f"The chosen model is version {done.version} in the registry.")
    print_mlflow(console, uri, done.link)
