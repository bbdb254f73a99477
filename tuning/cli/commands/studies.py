"""Running and continuing a study."""

import shlex
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from antisample.errors import AntisampleError, ConfigError
from cluster import (
    LOCAL,
    ExistingCluster,
    LocalCluster,
    StudyJob,
    SubmittedCluster,
    load_cluster,
)
from tuning.cli.commands.predictions import predict
from tuning.cli.commands.report import print_storage_problem
from tuning.cli.flags import TaskFlags, study_of_flags
from tuning.cli.launching import (
    agreed_options,
    check_study,
    given,
    on_cluster,
    run_from_here,
    send,
    study_job,
    submit_study,
    with_memory,
)
from tuning.cli.overriding import accepting_original, budgeted, check_uri, model_overrides, selected
from tuning.config.command_lines import program, shown_path
from tuning.config.loading import load_study
from tuning.config.study import StudyConfig
from tuning.interruption import STOPPING, exit_code, is_stopped, once, second_signal_stops, stop_for_loss
from tuning.study.changes import check_changes, stated_stores
from tuning.study.directory import open_study, study_config
from tuning.study.kept_settings import as_begun
from tuning.study.outcome import Outcome, find_outcome
from tuning.study.plugins import check_noted_plugins
from tuning.study.reader import StudyReader
from tuning.trust.addresses import check_stores, object_stores, with_tracking
from tuning.trust.consent import check_study_code, remember_sent_study
from tuning.trust.own_studies import agreed_of_study
from tuning.views.terminal.console import output, print_json, say
from tuning.views.terminal.live import front_table
from tuning.views.terminal.outcome import apply_command, print_outcome
from tuning.views.terminal.progress import Progress

if TYPE_CHECKING:
    from tuning.driver.run import StudyRun


def run(
    study: Path | None,
    flags: TaskFlags,
    *,
    overrides: list[str] | None,
    tracking_uri: str | None,
    warm_start: Path | None,
    memory: str | None,
    budget: str | None,
    select: str | None,
    register: str | None,
    cluster: Path | None,
    dry_run: bool,
    allow_code: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Runs or continues the study of a YAML file, or of flags, and prints its outcome."""
    spec = load_cluster(cluster) if cluster is not None else LOCAL
    overrides = [*(overrides or []), *budgeted(budget), *selected(select)]
    if study is None:
        config = study_of_flags(flags, overrides)
    else:
        said = model_overrides(flags.normalisation, accept_original=flags.accept_original)
        doubled = [
            f"`--{flag.replace('_', '-')}`"
            for flag, value in vars(flags).items()
            if value and flag not in ("normalisation", "accept_original")
        ]
        if doubled:
            raise ConfigError(f"{study} defines the study, so {doubled[0]} cannot be used with it; use `--set`.")
        config = load_study(study, [*said, *overrides])
    _check_tracking(tracking_uri)
    if tracking_uri is not None:
        config = config.model_copy(update={"tracking_uri": tracking_uri})
    if memory is not None:
        config = with_memory(config, memory)
    config = on_cluster(config, spec)
    _check_registry(config, register)
    has_code = check_study_code(
        config, partial(say, output(stderr=as_json)), allowed=allow_code, overrides=overrides, model=flags.model
    )
    check_study(config, spec)
    if dry_run:
        predict(config, spec, warm_start, as_json=as_json, quiet=quiet)
        return
    if isinstance(spec, ExistingCluster) and spec.is_jobs_endpoint:
        words = [
            "run",
            "study.yaml",
            *given("--warm-start", _there(spec, warm_start)),
            *given("--register", register),
            *(["--allow-code"] * has_code),
        ]
        remember_sent_study(config)
        send(spec, words, {"study.yaml": config.to_send()}, as_json, quiet)
    if isinstance(spec, SubmittedCluster):
        remember_sent_study(config)
        submit_study(spec, study_job(config, warm_start, register, allow_code=has_code), as_json)
    else:
        _search(config, spec, as_json, quiet, warm_start, register)


def resume(
    directory: Path,
    *,
    changes: list[str],
    accept_original: bool,
    storage: str | None,
    tracking_uri: str | None,
    register: str | None,
    cluster: Path | None,
    allow_code: bool,
    allow_address: list[str] | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Continues the study in a directory, with changes that the study keeps, and prints its outcome."""
    _check_tracking(tracking_uri)
    check_changes(changes)
    spec = load_cluster(cluster) if cluster is not None else LOCAL
    ask = partial(say, output(stderr=as_json))
    if isinstance(spec, SubmittedCluster) or (isinstance(spec, ExistingCluster) and spec.is_jobs_endpoint):
        place = spec.shared_dir / directory
        agreed = agreed_options(place, changes, storage, tracking_uri, ask, allow_code, allow_address)
        options = (*(word for change in changes for word in ("--set", change)), *agreed)
        options = ("--accept-original", *options) if accept_original else options
        if isinstance(spec, ExistingCluster):
            send(spec, ["resume", str(place), *options, *given("--register", register)], {}, as_json, quiet)
        else:
            submit_study(spec, StudyJob(directory.name, place, None, options, Path.cwd(), register), as_json)
        return
    config = with_tracking(study_config(directory, changes, storage), directory, tracking_uri)
    config = accepting_original(config, accept_original=accept_original)
    allowed = [*(allow_address or ()), *stated_stores(config, changes)]
    check_stores(object_stores(config.data, config.storage_path), agreed_of_study(directory), allowed)
    check_study_code(config, ask, allowed=allow_code)
    reader = StudyReader(config)  # which has a journal or database, so that there is something to continue
    check_noted_plugins(reader)
    config = reader.config
    _check_registry(config, register)
    check_study(config, spec)
    _search(config, spec, as_json, quiet, register=register)


def _there(spec: ExistingCluster, directory: Path | None) -> Path | None:
    """The folder of a study on the cluster, where a job stands in a folder of its own."""
    return spec.shared_dir / directory if directory is not None else None


def _search(
    config: StudyConfig,
    spec: LocalCluster | ExistingCluster,
    as_json: bool,
    quiet: bool,
    warm_start: Path | None = None,
    register: str | None = None,
) -> None:
    config = as_begun(config)
    console = output(stderr=as_json)
    progress = Progress(console, quiet=quiet)
    go_on = f"Continue with: {program('antisample')} resume {shown_path(config.directory)}"
    stopping = once(partial(say, console, STOPPING))
    last_words = once(partial(_say_stopped, config, progress, go_on, as_json, stopping))
    with second_signal_stops(f"Stopped immediately. {go_on}", last_words, stopping):
        try:
            done = run_from_here(config, spec, progress, warm_start, lambda loss: stop_for_loss(f"{loss} {go_on}"))
            version, problem = _registered(config, done, register)
        except BaseException as error:
            if not is_stopped() and not isinstance(error, KeyboardInterrupt):
                raise
            last_words()  # also where a library made another error of the signal
            raise typer.Exit(exit_code()) from None
    outcome = done.outcome
    if as_json:
        own = {"directory": str(config.directory), "apply": _apply(config, outcome), "registered_version": version}
        print_json({**outcome.to_json(), **own})
    else:
        print_outcome(console, outcome, config, done.mlflow_link)
        if version is not None:
            console.print(f"Registered:    {register}, version {version}", soft_wrap=True)
    print_storage_problem(console, done.storage_problem, config)
    if problem is not None:
        words = [program("antisample"), "mlflow", "sync", shown_path(config.directory)]
        command = " ".join([*words, *map(shlex.quote, given("--register", register))])
        console.print(
            f"MLflow is missing parts of this study. {escape(problem)} Send them with: {command}",
            soft_wrap=True,
            style="yellow",
        )
    if register is not None and outcome.nearest is not None:
        words = [*given("--register", register), *given("--trial", outcome.nearest.number)]
        command = shlex.join([program("antisample"), "mlflow", "sync", shown_path(config.directory), *words])
        console.print(
            f"No model was registered, since no trial was chosen. To register another trial, run: {escape(command)}",
            soft_wrap=True,
        )
    if outcome.chosen is None or (register is not None and version is None):
        raise typer.Exit(1)


def _registered(config: StudyConfig, done: "StudyRun", register: str | None) -> tuple[int | None, str | None]:
    """Registers the chosen model if that is wished; its version, and what MLflow lacks of the study."""
    if register is None or done.mlflow_problem is not None or done.outcome.chosen is None:
        return None, done.mlflow_problem
    from tuning.views.mlflow import DeliveryError, sync  # noqa: PLC0415  (MLflow takes seconds to import)

    try:
        return sync(_kept_study(config), config.mlflow_uri() or "", register).version, None
    except (DeliveryError, AntisampleError) as error:
        return None, str(error)


def _say_stopped(
    config: StudyConfig, progress: Progress, go_on: str, as_json: bool, stopping: Callable[[], None]
) -> None:
    """Prints the front so far of a search that was stopped, and how it goes on; `stopping` is said before."""
    stopping()
    progress.close()
    console = progress.console
    if not (config.directory / "study.yaml").is_file():
        console.print("Stopped before the search started; nothing was saved.", soft_wrap=True)
        return
    with suppress(AntisampleError):  # such as a database that is away: the study is there nevertheless
        study = _kept_study(config)
        if study.n_finished():
            outcome = find_outcome(study)
            if as_json:
                print_json({**outcome.to_json(), "directory": str(config.directory), "stopped": True})
            else:
                console.print(front_table(outcome))
    console.print(f"Stopped. {go_on}", soft_wrap=True)


def _kept_study(config: StudyConfig) -> StudyReader:
    """The study as it is kept, with the constraints that were settled when it began."""
    return open_study(config.directory, storage=config.storage)


def _apply(config: StudyConfig, outcome: Outcome) -> str | None:
    """The command that applies the chosen trial or the nearest; None if there is neither."""
    if outcome.chosen is None and outcome.nearest is None:
        return None
    return apply_command(config, nearest=outcome.nearest)


def _check_tracking(uri: str | None) -> None:
    if uri not in (None, "none"):
        check_uri(str(uri))


def _check_registry(config: StudyConfig, register: str | None) -> None:
    if register is not None and (config.mlflow_uri() is None or not config.log_model):
        raise ConfigError(
            "`--register` needs MLflow: `tracking_uri` must not be none, and `log_model` must not be false."
        )
