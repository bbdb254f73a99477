"""One study from its configuration to its outcome: `run_study`."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import ray
import torch
from ray import tune

from antisample.device import choose_device, describe_device, has_bfloat16_unit
from antisample.errors import AntisampleError, DataError
from antisample.storage.atomic import check_writable
from antisample.storage.regular_files import check_inside
from cluster import ray_of_this_process
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan
from tuning.driver.capacity import TrialResources
from tuning.driver.confirmation import confirm, missing_confirmations
from tuning.driver.diagnostics import inspect
from tuning.driver.finals import run_finals
from tuning.driver.gpu_sharing import share_gpus
from tuning.driver.machines import live_slots, machines, worker_share
from tuning.driver.pricing import price_retraining
from tuning.driver.provenance import record_provenance
from tuning.driver.reference_tasks import ReferenceTasks
from tuning.driver.retention import ArtifactRetention
from tuning.driver.search import RAY_FOLDER, search
from tuning.driver.settling import settled
from tuning.memory.settling import describe_memory, describe_skipped, settle_memory, with_fewer_recipes
from tuning.study.artifacts import StudyFiles
from tuning.study.attributes import DRIVES, ID, MEMORY, Drive
from tuning.study.directory import check_directory, check_settings, note_settings, prepared_directory
from tuning.study.finals import find_finals
from tuning.study.history import record_search_end
from tuning.study.kept_settings import as_begun, has_begun
from tuning.study.lost_trials import refuse_lost_trials
from tuning.study.model_source import noted_model
from tuning.study.outcome import Outcome
from tuning.study.plugins import check_noted_plugins
from tuning.study.progress_listener import ProgressListener, SilentProgress
from tuning.study.spending import Account
from tuning.study.storage.lease import Lease, held_lease, lease_backend
from tuning.study.study import Study, now_ms
from tuning.study.warm_start import take_over
from tuning.trials.records import describe_added_trials
from tuning.trust.consent import remember_study
from tuning.views.mlflow import SearchSummary, StudyMetadata, Tracker
from tuning.views.mlflow.payload import PLOTS
from tuning.views.projections import FILES, copy_projections, write_projections
from tuning.worker.fingerprints import fingerprints_of
from tuning.worker.inputs import RequestInputs, labels_of, load_requests
from tuning.worker.trainable import UnlearnTrainable

if TYPE_CHECKING:
    from tuning.views.mlflow import MlflowWriter

_WANTED_AT_THE_END = ("tuning.views.mlflow.packaging", "torch._dynamo", "tuning.views.plots.study")
"""Modules for the exported model and the pictures; they take seconds to import, better beside trials than after."""

_searching = Lock()

Launch = Callable[[], AbstractContextManager[None]]


class InterruptedStudyError(Exception):
    """The search was stopped by the user; the study can be resumed."""


class SearchUnderWayError(AntisampleError):
    """Another thread of this process searches: Ray Tune would mix up what the two search."""


@dataclass(frozen=True)
class StudyRun:
    """What came of running a study.

    Attributes:
        outcome: Of the study.
        mlflow_link: Path and query of the study in the MLflow UI; None if it is not there.
        mlflow_problem: Why MLflow lacks something of it; None if it lacks nothing.
        storage_problem: Why the views could not be copied to `storage_path`; None if they were, or need not be.
    """

    outcome: Outcome
    mlflow_link: str | None = None
    mlflow_problem: str | None = None
    storage_problem: str | None = None


def run_study(
    config: StudyConfig,
    progress: ProgressListener | None = None,
    launch: Launch | None = None,
    warm_start: Path | None = None,
) -> Outcome:
    """Runs or continues a study and returns its outcome; see `run`."""
    return run(config, progress or SilentProgress(), launch, warm_start).outcome


def run(
    config: StudyConfig, progress: ProgressListener, launch: Launch | None = None, warm_start: Path | None = None
) -> StudyRun:
    """Runs or continues a study until its trials are finished or its time is over.

    Args:
        config: The study. Its directory is created, or continued if it holds the same study.
        progress: Is told what happens.
        launch: Starts Ray for the length of a `with` block; by default the Ray that this process is in is used and
            left alone, else one is started and stopped at the end.
        warm_start: Directory of an earlier study to take over from; see `take_over`.

    Returns:
        The outcome, which is also in `trials.parquet` and `report.html` in the study's directory and in its
        `storage_path`, and what became of views that are kept elsewhere.

    Raises:
        AntisampleError: If the configuration does not fit the data, the directory or the machine.
        SearchUnderWayError: If another thread of this process searches.
        ClusterError: If Ray cannot be started.
        InterruptedStudyError: If the user stopped the search; everything so far is kept.
    """
    started, begun_ms, config = time.monotonic(), now_ms(), as_begun(config)
    share = worker_share(config, machines())
    ray_stays = launch is None and ray.is_initialized()
    with ExitStack() as stack:
        stack.enter_context(_only_search())
        check_directory(config)
        check_writable(config.directory, (*FILES, *PLOTS))
        lease = stack.enter_context(held_lease(lease_backend(config)))
        start_ray = launch or ray_of_this_process
        with ReferenceTasks(config, share, start_ray, progress.reference_epoch, progress.say) as references:
            study, inputs = _begin(config, lease, share, progress, warm_start, references)
        config, files = study.config, StudyFiles.of(study.config)
        if config.storage_path is not None:
            files.claim(study.noted(ID, ""))
        progress.start(study, _slots(config, share))
        tracker = _tracker(study)
        if tracker is not None:
            study.listen(tracker.submit)
        study.listen(stack.enter_context(ArtifactRetention(study, files)).trial)
        study.listen(progress.trial)
        try:
            if not study.is_over() or find_finals(study).missing or missing_confirmations(study):
                with start_ray():
                    lease.note_ray(ray_session())
                    drive: Drive = {"begun_ms": begun_ms, "workers": _slots(config, share)()}
                    drives = [*study.noted(DRIVES, []), drive]
                    study.note(DRIVES, drives)
                    _run_trials(study, ray.put(inputs), share, started, progress, ray_stays)
                    drives[-1] = {**drive, "ended_ms": now_ms()}
                    study.note(DRIVES, drives)
        except BaseException:
            if tracker is not None:
                tracker.close(None, timeout_s=2)
            raise
        # A dead or interrupted driver left trials running that no search asked for, since `n_trials` was lowered.
        study.abort_running("the study is over.")
        _look_inside(study, inputs, progress)
        if tracker is not None and config.log_model:
            _pack(study, inputs, progress)
        outcome = write_projections(study)
        record_search_end(study, outcome)
        problem = tracker.close(SearchSummary.of(study, outcome), timeout_s=60) if tracker is not None else None
        progress.searched()
        link = tracker.link() if tracker is not None else None
        return StudyRun(outcome, link, problem, copy_projections(config))


def _begin(
    config: StudyConfig,
    lease: Lease,
    share: TrialResources,
    progress: ProgressListener,
    warm_start: Path | None,
    train_references: ReferenceTasks,
) -> tuple[Study, RequestInputs]:
    """Opens the study, begun if it is new, and loads its inputs; nothing stays of a new one where that fails."""
    inputs, memory, is_new = None, None, not has_begun(config)
    with prepared_directory(config, lease) as keep:
        if is_new:
            StudyFiles.of(config).check()
            _introduce(config, share, progress)
            inputs = load_requests(TrialPlan.of(config), progress, train_references)
            config, notes = settled(config, inputs)
            if warm_start is None or config.memory != "auto":  # which names the study to start from
                memory = settle_memory(config, fingerprints_of(inputs), labels_of(inputs))
                config = with_fewer_recipes(config, memory)
            keep(config)
            for note in notes:
                progress.say(note)
        study = Study(config, lease)
        check_settings(study)
        refuse_lost_trials(study)
        changed = check_noted_plugins(study)
        if inputs is None:
            StudyFiles.of(config).check()
            _introduce(config, share, progress)
            inputs = load_requests(study.plan.with_model(noted_model(study)), progress, train_references)
        for line in (*changed, record_provenance(study, inputs), describe_added_trials(study.by_hand())):
            if line is not None:
                progress.say(line)
        note_settings(study)
        if memory is not None and study.noted(MEMORY) is None:
            study.remember(memory)
            progress.say(f"From memory: {describe_memory(memory)}")
            for line in describe_skipped(memory):
                progress.say(f"  {line}")
        if not remember_study(study.noted(ID, ""), config):
            progress.say(
                "Your state directory is not writable, so you will have to agree to code and addresses again"
            )
        if warm_start is not None:  # before the study can be resumed, where nothing says so any more
            progress.say(take_over(study, warm_start).describe())
    return study, inputs


def _introduce(config: StudyConfig, share: TrialResources, progress: ProgressListener) -> None:
    """Says on what the study runs."""
    device = choose_device(config.device)
    progress.say(f"Device: {describe_device(device)}; concurrent trials: {_slots(config, share)()}")
    if config.precision == "float32" and has_bfloat16_unit(device):
        progress.say("  training is faster with `precision: bfloat16`; see docs/performance.md")
    progress.say(f"Data: {config.data.source}; original model: {config.model.name}")


def _check_folder_of_ray(directory: Path) -> None:
    """Makes sure that what Ray Tune writes stays in the study's directory."""
    try:
        check_inside(directory / RAY_FOLDER / "trials", directory)
    except OSError as error:
        raise DataError(f"{directory}: cannot be written ({error.strerror}).") from error


@contextmanager
def _only_search() -> Iterator[None]:
    """Has one search at a time in this process."""
    if not _searching.acquire(blocking=False):
        raise SearchUnderWayError(
            "Another search is running in this process; run them one after the other, or in separate processes."
        )
    try:
        yield
    finally:
        _searching.release()


def ray_session() -> str:
    """Folder of the Ray session that this process has started; empty where it joined another's."""
    node = ray._private.worker._global_node
    return str(node.get_session_dir_path()) if node is not None and node.is_head() else ""


def _slots(config: StudyConfig, share: TrialResources) -> Callable[[], int]:
    return live_slots(share, config.resources.max_concurrent)


def _run_trials(
    study: Study, inputs: Any, whole: TrialResources, started: float, progress: ProgressListener, ray_stays: bool
) -> None:
    """Everything that Ray runs: the search, and the chosen trial again."""
    share = share_gpus(study, inputs, whole)
    if share != whole:
        progress.say(f"Trials per GPU: {1 / share.gpus:.0f}, based on the memory use of the first")
    priced = price_retraining(study, inputs, share)
    if priced is not None:
        progress.say(priced)
    if not study.is_over():
        _search(study, inputs, started, share, ray_stays)
    progress.searched()
    if study.config.budget is not None:
        study.may_begin()  # which keeps that the budget is used up where the clock ended the search
        reason = study.stopped_because()
        if reason is not None:
            progress.say(f"The search has ended: {reason}")
    run_finals(study, inputs, share, progress)
    confirm(study, inputs, share, progress.confirmed)


def _search(study: Study, inputs: Any, started: float, share: TrialResources, ray_stays: bool) -> None:
    config = study.config
    _check_folder_of_ray(config.directory)
    budget_s = _seconds_left(study, started)
    trainable = tune.with_parameters(UnlearnTrainable, inputs=inputs, plan=study.plan.for_workers())
    if not search(study, trainable, share, _slots(config, share), budget_s, ray_stays):
        study.pause()
        raise InterruptedStudyError


def _seconds_left(study: Study, started: float) -> float | None:
    """Seconds until trials are interrupted: what is left of `time_budget_min`, or of a budget in minutes."""
    config, left = study.config, list[float]()
    if config.time_budget_min is not None:
        left.append(60 * config.time_budget_min - (time.monotonic() - started))
    account = Account.of(study, now_ms())
    if account is not None and config.budget is not None and config.budget.unit == "minutes":
        left.append(account.limit_s - account.used_s)
    return min(left, default=None)


def _tracker(study: Study) -> Tracker | None:
    """Starts to deliver to MLflow, beginning with what earlier drivers could not; None if tracking is off."""
    uri = study.config.mlflow_uri()
    if uri is None:
        return None
    facts = StudyMetadata.of(study)
    ahead = _WANTED_AT_THE_END if study.config.log_model and not study.is_over() else ()

    def open_view() -> "MlflowWriter":
        from tuning.views.mlflow import MlflowWriter  # noqa: PLC0415  (imports MLflow)

        for module in ahead:
            import_module(module)
        return MlflowWriter(facts, uri)

    return Tracker(open_view, study.rows())


def _look_inside(study: Study, inputs: RequestInputs, progress: ProgressListener) -> None:
    """Keeps what the report shows of models and anti-samples; without it the outcome is as good."""
    try:
        inspect(study, inputs)
    except (AntisampleError, torch.OutOfMemoryError) as error:
        progress.say(f"The report cannot show details of the chosen trial: {error}")


def _pack(study: Study, inputs: RequestInputs, progress: ProgressListener) -> None:
    """Makes the MLflow model of the chosen trial, which the tracker delivers with the end of the search."""
    from tuning.views.mlflow import pack_model  # noqa: PLC0415  (imports MLflow)

    reason = pack_model(study, inputs[0])
    if reason is not None:
        progress.say(f"The model of the chosen trial is not logged to MLflow, since it cannot be exported: {reason}")
