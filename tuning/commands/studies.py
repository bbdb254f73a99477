"""Running, continuing and looking at a study."""

import json
import re
import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import typer
import yaml
from rich.console import Console
from rich.markup import escape

from antisample.errors import AntisampleError, ConfigError
from antisample.file_store import is_object_store
from cluster import (
    LOCAL,
    ClusterSpec,
    ExistingCluster,
    LocalCluster,
    SharedCluster,
    StudyJob,
    SubmittedCluster,
    early_ray,
    existing_ray,
    load_cluster,
    local_ray,
    submit,
)
from tuning import tracking
from tuning.config import StudyConfig
from tuning.confirm import missing_confirmations
from tuning.directory import copy_projections, open_study, write_projections
from tuning.display import apply_command, print_json, print_outcome, program, shown_path
from tuning.interruption import INTERRUPTED, second_ctrl_c_stops
from tuning.lease import lease_place
from tuning.options import check_uri, selected, study_of_flags
from tuning.outcome import Outcome
from tuning.progress import Progress, output
from tuning.study_file import load_study
from tuning.study_view import StudyView

_WANTED_SOON = ("tuning.run", "sklearn.model_selection", "sklearn.svm")
"""Modules that a driver uses before its first trial and that take seconds to import."""


def run(
    study: Path | None,
    flags: dict[str, Any],
    overrides: list[str] | None,
    tracking_uri: str | None,
    warm_start: Path | None,
    select: str | None,
    register: str | None,
    cluster: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Runs or continues the study of a YAML file, or of flags, and prints its outcome."""
    spec = load_cluster(cluster) if cluster is not None else LOCAL
    overrides = [*(overrides or []), *selected(select)]
    if study is None:
        config = study_of_flags({**flags, "overrides": overrides})
    else:
        given = [f"`--{flag.replace('_', '-')}`" for flag, value in flags.items() if value]
        if given:
            raise ConfigError(
                f"{study} says everything itself, so {given[0]} cannot be given beside it; use `--set`."
            )
        config = load_study(study, overrides)
    if tracking_uri is not None:
        if tracking_uri != "none":
            check_uri(tracking_uri)
        config = config.model_copy(update={"tracking_uri": tracking_uri})
    config = on_cluster(config, spec)
    _check_registry(config, register)
    if isinstance(spec, ExistingCluster) and spec.is_jobs_endpoint:
        words = ["run", "study.yaml", *_given("--warm-start", warm_start), *_given("--register", register)]
        _send(spec, words, {"study.yaml": config.to_yaml()}, as_json, quiet)
    if isinstance(spec, SubmittedCluster):
        _submit(spec, study_job(config, warm_start, register), as_json)
    else:
        _search(config, spec, as_json, quiet, warm_start, register)


def resume(directory: Path, register: str | None, cluster: Path | None, as_json: bool, quiet: bool) -> None:
    """Continues the study in a directory and prints its outcome."""
    spec = load_cluster(cluster) if cluster is not None else LOCAL
    if isinstance(spec, ExistingCluster) and spec.is_jobs_endpoint:
        _send(spec, ["resume", str(directory), *_given("--register", register)], {}, as_json, quiet)
    if isinstance(spec, SubmittedCluster):
        place = spec.shared_dir / directory
        _submit(spec, StudyJob(directory.name, place, None, home=Path.cwd(), register=register), as_json)
    else:
        config = open_study(directory).config
        _check_registry(config, register)
        _search(config, spec, as_json, quiet, register=register)


def report(directory: Path, select: str | None, as_json: bool) -> None:
    """Writes the views of a study anew and prints its outcome."""
    study = open_study(directory, selected(select))
    outcome = write_projections(study)
    _print_storage_problem(output(stderr=as_json), copy_projections(study.config), study.config)
    if as_json:
        print_json(outcome.to_json())
    else:
        print_outcome(output(), outcome, study.config)


def _search(
    config: StudyConfig,
    spec: LocalCluster | ExistingCluster,
    as_json: bool,
    quiet: bool,
    warm_start: Path | None = None,
    register: str | None = None,
) -> None:
    console = output(stderr=as_json)
    progress = Progress(console, quiet=quiet)
    go_on = f"Continue with: {program('antisample')} resume {shown_path(config.directory)}"
    with second_ctrl_c_stops(f"Stopped at once. {go_on}"):
        try:
            outcome = _found(config, spec, progress, warm_start)
        except KeyboardInterrupt:
            progress.close()
            begun = (config.directory / "study.yaml").is_file()
            console.print(
                f"Stopped. {go_on}" if begun else "Stopped before the search began; nothing was kept.",
                soft_wrap=True,
            )
            raise typer.Exit(INTERRUPTED) from None
    problem, version = progress.mlflow_problem, None
    if register is not None and problem is None and outcome.chosen is not None:
        try:
            version = tracking.sync(StudyView(config), config.mlflow_uri() or "", register).version
        except (tracking.DeliveryError, AntisampleError) as error:
            problem = str(error)
    if as_json:
        own = {"directory": str(config.directory), "apply": apply_command(config), "registered_version": version}
        print_json({**outcome.to_json(), **own})
    else:
        print_outcome(console, outcome, config, progress.mlflow_link)
        if version is not None:
            console.print(f"Registered:    {register}, version {version}", soft_wrap=True)
    _print_storage_problem(console, progress.storage_problem, config)
    if problem is not None:
        words = [program("antisample"), "mlflow", "sync", shown_path(config.directory)]
        command = " ".join([*words, *map(shlex.quote, _given("--register", register))])
        console.print(
            f"MLflow lacks some of this study. {escape(problem)} Deliver it with: {command}",
            soft_wrap=True,
            style="yellow",
        )
    if outcome.chosen is None or (register is not None and version is None):
        raise typer.Exit(1)


def _print_storage_problem(console: Console, problem: str | None, config: StudyConfig) -> None:
    if problem is not None:
        command = f"{program('antisample')} report {shown_path(config.directory)}"
        console.print(f"{escape(problem)} Copy them with: {command}", soft_wrap=True, style="yellow")


def _found(
    config: StudyConfig, spec: LocalCluster | ExistingCluster, progress: Progress, warm_start: Path | None
) -> Outcome:
    launch = _launch(spec)
    with nullcontext() if _is_over(config) else _ray_meanwhile(spec, launch):
        from tuning.run import InterruptedStudyError, run_study  # noqa: PLC0415  (Ray Tune takes seconds to import)

        try:
            return run_study(config, progress, launch, warm_start)
        except InterruptedStudyError:
            raise KeyboardInterrupt from None
        finally:
            progress.close()


def _send(spec: ExistingCluster, words: list[str], files: dict[str, str], as_json: bool, quiet: bool) -> NoReturn:
    """Has the driver run on the cluster, and ends with its exit code."""
    from cluster.jobs import run_job  # noqa: PLC0415  (imports Ray's dashboard)

    within = yaml.safe_dump({"launcher": "existing", **spec.within().model_dump(mode="json")})
    words = [*words, "--cluster", "cluster.yaml", *(["--json"] * as_json), *(["--quiet"] * quiet)]
    console = output(stderr=as_json)
    say = partial(console.print, end="", soft_wrap=True, markup=False, highlight=False)
    sent = {**files, "cluster.yaml": within}
    try:
        code, log = run_job(spec.address, spec.token_file, sent, words, say, spec.ship_program)
    except KeyboardInterrupt:
        console.print("Not watched any more; the job goes on.")
        raise typer.Exit(INTERRUPTED) from None
    if as_json and (answer := re.search(r"^\{\n.*?^\}$", log, re.MULTILINE | re.DOTALL)) is not None:
        print_json(json.loads(answer.group()))
    raise typer.Exit(code)


def study_job(config: StudyConfig, warm_start: Path | None = None, register: str | None = None) -> StudyJob:
    """A study to send; its folders are the cluster's."""
    options = _given("--warm-start", warm_start.absolute() if warm_start is not None else None)
    return StudyJob(config.name, config.directory, config.to_yaml(), options, Path.cwd(), register)


def _given(option: str, value: object | None) -> tuple[str, ...]:
    return () if value is None else (option, str(value))


def _submit(spec: SubmittedCluster, job: StudyJob, as_json: bool) -> None:
    said: list[str] = []
    submit(spec, job, said.append if as_json else partial(print, flush=True))
    if as_json:
        print_json({"directory": str(job.directory), "submitted": said})


def on_cluster(config: StudyConfig, spec: ClusterSpec) -> StudyConfig:
    """A study with its folders where every machine of the cluster has them, and the cluster's tracking server."""
    changes: dict[str, Any] = {}
    if config.tracking_uri is None and spec.tracking_uri is not None:
        changes["tracking_uri"] = spec.tracking_uri
    if isinstance(spec, SharedCluster):
        changes["runs_dir"] = spec.shared_dir / config.runs_dir
        if not is_object_store(config.data.cache_dir):
            cache = spec.shared_dir / config.data.cache_dir
            changes["data"] = config.data.model_copy(update={"cache_dir": cache})
    return config.model_copy(update=changes)


def _check_registry(config: StudyConfig, register: str | None) -> None:
    if register is not None and (config.mlflow_uri() is None or not config.log_model):
        raise ConfigError("`--register` needs MLflow: `tracking_uri` must not be none, nor `log_model` false.")


def _launch(spec: LocalCluster | ExistingCluster) -> Callable[[], AbstractContextManager[None]]:
    """How Ray is had for the length of a `with` block; what has begun before stays as it is."""
    if isinstance(spec, LocalCluster):
        return partial(local_ray, spec.num_cpus, spec.num_gpus)
    return partial(
        existing_ray,
        spec.address,
        spec.token_file,
        spec.allow_insecure,
        spec.ship_program,
        spec.autoscaled_workers,
    )


def _ray_meanwhile(
    spec: LocalCluster | ExistingCluster, launch: Callable[[], AbstractContextManager[None]]
) -> AbstractContextManager[None]:
    """Has Ray before anything is loaded, for a search that will need it."""
    if isinstance(spec, LocalCluster):
        return early_ray(_WANTED_SOON, "tuning.trainable", spec.num_cpus, spec.num_gpus)
    return launch()


def _is_over(config: StudyConfig) -> bool:
    """Whether nothing is left for Ray to do, or another driver does it."""
    holder = lease_place(config).read()
    if holder is not None and holder.is_alive():
        return True
    if not (config.directory / "trials.parquet").exists():  # written at every end, and by `antisample report`
        return False
    study = StudyView(config)
    return study.is_over() and not missing_confirmations(study)
