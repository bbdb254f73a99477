"""The commands `antisample cluster`."""

from pathlib import Path
from typing import Annotated

import typer

from tuning.cli.needs import needing
from tuning.cli.options import AsJson, Overrides

app = typer.Typer(
    help="Check a cluster before using it, render its job files, and run its MLflow server.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
ClusterArgument = Annotated[Path, typer.Argument(metavar="CLUSTER.yaml", help="The cluster file.")]


@app.command(
    "check", cls=needing("search"), epilog="Example: antisample cluster check cluster.yaml --study studies/demo.yaml"
)
def check(
    cluster: ClusterArgument,
    study: Annotated[
        Path | None,
        typer.Option(metavar="STUDY.yaml", help="Also check this study's object store and tracking server."),
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Check the versions, shared storage, tracking server, GPUs and clocks of a cluster; exit code 1 for problems."""
    from tuning.cli.commands import cluster as commands  # noqa: PLC0415

    commands.check(cluster, study=study, overrides=overrides, as_json=as_json)


@app.command(
    "render", cls=needing("search"), epilog="Example: antisample cluster render slurm.yaml --study studies/demo.yaml"
)
def render(
    cluster: ClusterArgument,
    study: Annotated[Path, typer.Option(metavar="STUDY.yaml", help="The study file.")],
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the files to this directory instead.")
    ] = None,
) -> None:
    """Print what `run --cluster` would submit to Slurm, Kubernetes or `ray up`, without starting anything."""
    from tuning.cli.commands import cluster as commands  # noqa: PLC0415

    commands.render(cluster, study=study, overrides=overrides, out=out)


@app.command(
    "services",
    cls=needing("search"),
    epilog="Example: antisample cluster services --database postgresql://db/mlflow --artifacts /shared/mlflow",
)
def services(
    database: Annotated[
        str,
        typer.Option(
            envvar="ANTISAMPLE_DATABASE",
            metavar="postgresql://HOST/NAME",
            help="Database for runs and users. Put a password in PGPASSFILE or ANTISAMPLE_DATABASE, not here.",
        ),
    ],
    artifacts: Annotated[str, typer.Option(metavar="DIR|s3://|gs://", help="Artifact location.")],
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Directory for the server's secrets and log.")] = Path(
        "~/.antisample/mlflow"
    ),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 5000,
    allowed_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME[:PORT]", help="Host name that clients use; repeatable.")
    ] = None,
) -> None:
    """Run a password-protected MLflow server on PostgreSQL until it is interrupted."""
    from tuning.cli.commands import cluster as commands  # noqa: PLC0415

    commands.services(
        database=database,
        artifacts=artifacts,
        folder=folder,
        host=host,
        port=port,
        allowed_hosts=allowed_host,
    )
