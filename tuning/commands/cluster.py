"""Looking at a cluster, and the services around it."""

from dataclasses import asdict
from pathlib import Path

import typer
from rich.markup import escape

from antisample.errors import ConfigError
from cluster import ExistingCluster, load_cluster
from cluster.check import check_cluster
from cluster.existing import existing_ray
from cluster.services import ADMIN, TrackingServer, running
from tuning.display import print_json
from tuning.progress import output


def check(cluster: Path, as_json: bool) -> None:
    """Prints what was found; exit code 1 if something is not as it must be."""
    spec = load_cluster(cluster)
    if not isinstance(spec, ExistingCluster) or spec.is_jobs_endpoint:
        raise ConfigError("only a running cluster with an address HOST:PORT can be checked.", str(cluster))
    with existing_ray(spec.address, spec.token_file, spec.allow_insecure, ship=False):
        findings = check_cluster(spec.shared_dir, spec.tracking_uri)
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        console = output()
        for finding in findings:
            mark = "[green]good[/]" if finding.good else "[red]bad [/]"
            console.print(f"{mark}  {escape(finding.what)}", soft_wrap=True)
            if finding.advice:
                console.print(f"      {escape(finding.advice)}", soft_wrap=True)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def services(
    database: str, artifacts: str, folder: Path, host: str, port: int, allowed_hosts: list[str] | None
) -> None:
    """Runs the tracking server until it ends or is interrupted."""
    server = TrackingServer(
        folder.expanduser().absolute(), database, artifacts, host, port, tuple(allowed_hosts or ())
    )
    console = output()
    with running(server) as process:
        console.print(
            f"MLflow: {server.address}, user {ADMIN}, password in {server.password_file}; log in "
            f"{server.folder / 'server.log'}.\nStudies reach it with: export MLFLOW_TRACKING_USERNAME={ADMIN} "
            f"MLFLOW_TRACKING_PASSWORD=$(cat {server.password_file})",
            soft_wrap=True,
            highlight=False,
        )
        try:
            code = process.wait()
        except KeyboardInterrupt:
            return
    raise ConfigError(f"MLflow ended with code {code}; {server.folder / 'server.log'} tells more.")
