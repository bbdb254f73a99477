"""Looking at a cluster, and the services around it."""

import sys
from dataclasses import asdict
from pathlib import Path

import typer
from rich.markup import escape

from antisample.errors import ConfigError
from antisample.storage.file_store import is_object_store
from antisample.storage.object_store import Address
from cluster import ExistingCluster, SubmittedCluster, load_cluster
from cluster.check import check_cluster
from cluster.existing import existing_ray
from cluster.findings import Store
from cluster.services import ADMIN, TrackingServer, running
from cluster.submission import rendered, write_files
from tuning.cli.launching import on_cluster, study_job
from tuning.config.loading import load_study
from tuning.config.study import StudyConfig
from tuning.views.terminal.console import output, print_json


def check(cluster: Path, *, study: Path | None, overrides: list[str] | None, as_json: bool) -> None:
    """Prints what was found; exit code 1 if something is not as it must be."""
    spec = load_cluster(cluster)
    config = load_study(study, overrides) if study is not None else None
    if not isinstance(spec, ExistingCluster) or spec.is_jobs_endpoint:
        raise ConfigError("only a running cluster with an address HOST:PORT can be checked.", str(cluster))
    with existing_ray(spec.address, spec.token_file, spec.allow_insecure, ship=False):
        uri = spec.tracking_uri if config is None else config.tracking_uri or spec.tracking_uri
        findings = check_cluster(spec.shared_dir, uri, _store(config))
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


def _store(config: StudyConfig | None) -> Store | None:
    """Where a study keeps checkpoints and models, if that is an object store."""
    if config is None or config.storage_path is None or not is_object_store(config.storage_path):
        return None
    place = Address.parse(str(config.storage_path))
    return Store(place.url, place.scheme, place.path, place.options)


def render(cluster: Path, *, study: Path, overrides: list[str] | None, out: Path | None) -> None:
    """Prints the files that a submission would consist of, or writes them."""
    spec = load_cluster(cluster)
    if not isinstance(spec, SubmittedCluster):
        raise ConfigError(
            "there is nothing to render: the driver itself runs here or joins the cluster.", str(cluster)
        )
    files = rendered(spec, study_job(on_cluster(load_study(study, overrides), spec)))
    if out is not None:
        write_files(files, out)
        texts = [str(out / name) for name in files]
    else:
        texts = [f"# ---- {name}\n{text}" for name, text in files.items()]
    sys.stdout.write("\n".join(texts) + "\n")


def services(
    *, database: str, artifacts: str, folder: Path, host: str, port: int, allowed_hosts: list[str] | None
) -> None:
    """Runs the tracking server until it ends or is interrupted."""
    server = TrackingServer(
        folder.expanduser().absolute(), database, artifacts, host, port, tuple(allowed_hosts or ())
    )
    console = output()
    with running(server) as process:
        console.print(
            f"MLflow: {server.address}, user {ADMIN}, password in {server.password_file}; log in "
            f"{server.folder / 'server.log'}.\nTo use it for studies: export MLFLOW_TRACKING_USERNAME={ADMIN} "
            f"MLFLOW_TRACKING_PASSWORD=$(cat {server.password_file})",
            soft_wrap=True,
            highlight=False,
        )
        try:
            code = process.wait()
        except KeyboardInterrupt:
            return
    raise ConfigError(f"MLflow exited with code {code}; see {server.folder / 'server.log'}.")
