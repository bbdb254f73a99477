"""How a study gets where it is to run: here, on a cluster that runs, or sent to one."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer
import yaml

from antisample.device import choose_device
from antisample.errors import ConfigError
from antisample.models import find_builder
from antisample.storage.file_store import is_object_store
from cluster import (
    ClusterSpec,
    ExistingCluster,
    LocalCluster,
    SharedCluster,
    StudyJob,
    SubmittedCluster,
    early_ray,
    existing_ray,
    local_ray,
    submit,
    watched_node,
)
from cluster.kuberay import KubeRayCluster
from cluster.slurm import SlurmCluster
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan
from tuning.driver.capacity import Machine, this_machine
from tuning.driver.confirmation import missing_confirmations
from tuning.driver.machines import worker_share
from tuning.interruption import exit_code
from tuning.memory.discovery import check_memory
from tuning.strategies.samplers import make_sampler
from tuning.study.changes import stated_stores
from tuning.study.directory import study_config
from tuning.study.finals import find_finals
from tuning.study.reader import StudyReader
from tuning.study.storage.lease import lease_backend
from tuning.trust.addresses import check_stores, object_stores, with_tracking
from tuning.trust.consent import check_study_code
from tuning.trust.own_studies import agreed_of_study
from tuning.views.terminal.console import output, print_json
from tuning.views.terminal.progress import Progress

if TYPE_CHECKING:
    from tuning.driver.run import StudyRun

_WANTED_SOON = ("tuning.driver.run", "sklearn.model_selection", "sklearn.svm")
"""Modules that a driver uses before its first trial and that take seconds to import."""


def run_from_here(
    config: StudyConfig,
    spec: LocalCluster | ExistingCluster,
    progress: Progress,
    warm_start: Path | None,
    lost: Callable[[str], None],
) -> "StudyRun":
    """Runs or continues a study with the driver in this process.

    Args:
        config: The study.
        spec: Where to.
        progress: Shows what happens.
        warm_start: Directory of an earlier study to take over from.
        lost: Called in a thread, with a sentence, where a process of the Ray on this machine ends by itself.

    Returns:
        What came of it.

    Raises:
        KeyboardInterrupt: If the user stops it.
    """
    launch = _launch(spec, lost)
    with nullcontext() if _is_over(config) else _ray_meanwhile(spec, launch):
        from tuning.driver.run import run  # noqa: PLC0415  (Ray Tune takes seconds to import)
        from tuning.driver.trial_runs import InterruptedStudyError  # noqa: PLC0415

        try:
            return run(config, progress, launch, warm_start)
        except InterruptedStudyError:
            raise KeyboardInterrupt from None
        finally:
            progress.close()


def check_study(config: StudyConfig, spec: ClusterSpec) -> None:
    """Finds what is wrong in a study as far as that can be told before Ray takes seconds, or a queue hours, to start.

    It imports what the study names, so `check_study_code` comes before.

    Raises:
        ConfigError: With every problem found. What only a running cluster's machines can tell is found on it.
    """
    checks: list[Callable[[], object]] = [
        lambda: find_builder(config.model.name),
        lambda: make_sampler(config.sampler, TrialPlan.of(config).space, config.planned_trials, config.seed, 0),
    ]
    if isinstance(spec, LocalCluster) or config.device.partition(":")[0] not in ("auto", "cpu", "cuda"):
        checks.append(lambda: choose_device(config.device))
    if isinstance(spec, LocalCluster) and not (config.directory / "study.yaml").is_file():
        checks.append(lambda: check_memory(config.memory))
    offered = offered_machine(spec)
    if offered is not None:
        whose = None if isinstance(spec, LocalCluster) else "a machine of the cluster"
        checks.append(lambda: worker_share(config, [offered], whose))
    problems: list[str] = []
    for check in checks:
        try:
            check()
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))


def offered_machine(spec: ClusterSpec) -> Machine | None:
    """What a machine that runs trials will have; None where that is not known yet."""
    if isinstance(spec, LocalCluster):
        here = this_machine()
        return Machine(spec.num_cpus or here.cpus, here.gpus if spec.num_gpus is None else spec.num_gpus)
    if isinstance(spec, SlurmCluster):
        return Machine(spec.cpus_per_node, spec.gpus_per_node)
    if isinstance(spec, KubeRayCluster):
        return Machine(spec.workers.cpus, spec.workers.gpus)
    return None


def _launch(
    spec: LocalCluster | ExistingCluster, lost: Callable[[str], None]
) -> Callable[[], AbstractContextManager[None]]:
    """How Ray is had for the length of a `with` block; what has begun before stays as it is."""
    if isinstance(spec, LocalCluster):
        return partial(watched_local_ray, spec.num_cpus, spec.num_gpus, lost)
    return partial(
        existing_ray,
        spec.address,
        spec.token_file,
        spec.allow_insecure,
        spec.ship_program,
        spec.autoscaled_workers,
    )


@contextmanager
def watched_local_ray(num_cpus: int | None, num_gpus: int | None, lost: Callable[[str], None]) -> Iterator[None]:
    """Ray on this machine for the length of a `with` block; `lost` is told where it ends by itself."""
    with local_ray(num_cpus, num_gpus), watched_node(lost):
        yield


def _ray_meanwhile(
    spec: LocalCluster | ExistingCluster, launch: Callable[[], AbstractContextManager[None]]
) -> AbstractContextManager[None]:
    """Has Ray before anything is loaded, for a search that will need it."""
    if isinstance(spec, LocalCluster):
        return early_ray(_WANTED_SOON, "tuning.worker.trainable", spec.num_cpus, spec.num_gpus)
    return launch()


def _is_over(config: StudyConfig) -> bool:
    """Whether nothing is left for Ray to do, or another driver does it."""
    holder = lease_backend(config).read()
    if holder is not None and holder.is_alive():
        return True
    if not (config.directory / "trials.parquet").exists():  # written at every end, and by `antisample report`
        return False
    study = StudyReader(config)
    return study.is_over() and not find_finals(study).missing and not missing_confirmations(study)


def send(spec: ExistingCluster, words: list[str], files: dict[str, str], as_json: bool, quiet: bool) -> NoReturn:
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
        console.print("No longer following the job; it continues.")
        raise typer.Exit(exit_code()) from None
    if as_json and (answer := re.search(r"^\{\n.*?^\}$", log, re.MULTILINE | re.DOTALL)) is not None:
        print_json(json.loads(answer.group()))
    raise typer.Exit(code)


def agreed_options(
    directory: Path,
    changes: list[str],
    storage: str | None,
    tracking_uri: str | None,
    say: Callable[[str], object],
    allow_code: bool,
    allow_address: list[str] | None,
) -> tuple[str, ...]:
    """What the driver on a cluster has to be told so that it continues a study, as far as it can be seen from here.

    Raises:
        ConfigError: If the study names code or addresses that the user has not agreed to.
    """
    if (directory / "study.yaml").is_file():
        config = with_tracking(study_config(directory, changes, storage), directory, tracking_uri)
        allow_code = check_study_code(config, say, directory=directory, allowed=allow_code)
        stores = object_stores(config.data, config.storage_path)
        check_stores(stores, agreed_of_study(directory), [*(allow_address or ()), *stated_stores(config, changes)])
        storage, tracking_uri, allow_address = config.storage, config.tracking_uri, list(stores.values())
    flags = [word for address in allow_address or () for word in ("--allow-address", address)]
    flags += ["--allow-code"] * allow_code
    return (*given("--storage", storage), *given("--tracking-uri", tracking_uri), *flags)


def submit_study(spec: SubmittedCluster, job: StudyJob, as_json: bool) -> None:
    """Hands a study to a cluster that is made for it, and prints how to follow it."""
    said: list[str] = []
    submit(spec, job, said.append if as_json else partial(print, flush=True))
    if as_json:
        print_json({"directory": str(job.directory), "submitted": said})


def study_job(
    config: StudyConfig, warm_start: Path | None = None, register: str | None = None, *, allow_code: bool = False
) -> StudyJob:
    """A study to send; its folders are the cluster's, where code that was agreed to here may be imported."""
    options = given("--warm-start", warm_start.absolute() if warm_start is not None else None)
    options += ("--allow-code",) if allow_code else ()
    return StudyJob(config.name, config.directory, config.to_send(), options, Path.cwd(), register)


def given(option: str, value: object | None) -> tuple[str, ...]:
    """An option and its value as words of a command; nothing where there is no value."""
    return () if value is None else (option, str(value))


def with_memory(config: StudyConfig, memory: str) -> StudyConfig:
    """The study with what `--memory` says.

    Raises:
        ConfigError: If it says nothing.
    """
    if not memory:
        raise ConfigError(
            "`--memory` must be auto, none, a folder of studies or a memory file, but got an empty text."
        )
    return config.model_copy(update={"memory": memory})


def on_cluster(config: StudyConfig, spec: ClusterSpec) -> StudyConfig:
    """A study with its folders where every machine of the cluster has them, and the cluster's tracking server."""
    changes: dict[str, Any] = {}
    if config.tracking_uri is None and spec.tracking_uri is not None:
        changes["tracking_uri"] = spec.tracking_uri
    if isinstance(spec, SharedCluster):
        changes["runs_dir"] = spec.shared_dir / config.runs_dir
        if config.memory not in ("auto", "none"):
            changes["memory"] = str(spec.shared_dir / config.memory)
        if not is_object_store(config.data.cache_dir):
            cache = spec.shared_dir / config.data.cache_dir
            changes["data"] = config.data.model_copy(update={"cache_dir": cache})
    return config.model_copy(update=changes)
