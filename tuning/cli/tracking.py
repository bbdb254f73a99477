"""The commands `antisample mlflow`."""

from typing import Annotated

import typer

from tuning.cli.needs import needing
from tuning.cli.options import AllowAddress, AllowCode, AsJson, RegisterAs, StorageAddress, StudyDirectory

app = typer.Typer(
    help="Send a study to MLflow: only what is missing there, or everything to an empty store.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@app.command("sync", cls=needing("search"), epilog="Example: antisample mlflow sync runs/demo")
def mlflow_sync(
    directory: StudyDirectory,
    tracking_uri: Annotated[
        str | None, typer.Option(help="MLflow store or server; by default, the study's own.")
    ] = None,
    register: RegisterAs = None,
    trial: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Register this trial of the Pareto front instead of the chosen one."),
    ] = None,
    storage: StorageAddress = None,
    allow_code: AllowCode = False,
    allow_address: AllowAddress = None,
    as_json: AsJson = False,
) -> None:
    """Send what MLflow is missing, for example after the server was down; optionally register the chosen model."""
    from tuning.cli.commands import tracking  # noqa: PLC0415

    tracking.mlflow_sync(
        directory,
        tracking_uri=tracking_uri,
        register_as=register,
        trial=trial,
        storage=storage,
        allow_code=allow_code,
        allow_address=allow_address,
        as_json=as_json,
    )


@app.command(
    "rebuild",
    cls=needing("search"),
    epilog="Example: antisample mlflow rebuild runs/demo --tracking-uri http://HOST:5000",
)
def mlflow_rebuild(
    directory: StudyDirectory,
    tracking_uri: Annotated[str, typer.Option(help="MLflow store or server without runs of this study.")],
    storage: StorageAddress = None,
    as_json: AsJson = False,
) -> None:
    """Recreate all MLflow runs of a study in a store that has none of them."""
    from tuning.cli.commands import tracking  # noqa: PLC0415

    tracking.mlflow_rebuild(directory, tracking_uri=tracking_uri, storage=storage, as_json=as_json)
