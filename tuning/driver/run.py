"""One study from its configuration to its outcome: `run_study`."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

import ray

from antisample.errors import AntisampleError
from antisample.storage.atomic import check_writable
from cluster import ray_of_this_process
from tuning.config.study import StudyConfig
from tuning.driver.beginning import begin
from tuning.driver.confirmation import missing_confirmations
from tuning.driver.delivery import look_inside, pack, start_tracker
from tuning.driver.machines import live_slots, machines, worker_share
from tuning.driver.reference_tasks import ReferenceTasks
from tuning.driver.retention import ArtifactRetention
from tuning.driver.trial_runs import run_trials
from tuning.study.artifacts import StudyFiles
from tuning.study.attributes import DRIVES, ID, Drive
from tuning.study.directory import check_directory
from tuning.study.finals import find_finals
from tuning.study.history import record_search_end
from tuning.study.kept_settings import as_begun
from tuning.study.outcome import Outcome
from tuning.study.progress_listener import ProgressListener, SilentProgress
from tuning.study.storage.lease import held_lease, lease_backend
from tuning.study.study import now_ms
from tuning.views.mlflow import SearchSummary
from tuning.views.mlflow.payload import PLOTS
from tuning.views.projections import FILES, copy_projections, write_projections
from tuning.views.terminal.progress import Progress
from tuning.worker.inputs import ObjectsInMemory, load_requests

_searching = Lock()

Launch = Callable[[], AbstractContextManager[None]]


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
    progress: ProgressListener | bool | None = True,
    launch: Launch | None = None,
    warm_start: Path | None = None,
) -> Outcome:
    """Runs or continues a study and returns its outcome; see `run`.

    Args:
        config: See `run`.
        progress: Whether to show what happens; or who is told.
        launch: See `run`.
        warm_start: See `run`.
    """
    return run(config, listener_of(progress), launch, warm_start).outcome


def listener_of(progress: ProgressListener | bool | None) -> ProgressListener:
    """Who is told what happens: nobody, the screen, or somebody else."""
    if progress is True:
        return Progress()
    return progress or SilentProgress()


def run(
    config: StudyConfig,
    progress: ProgressListener,
    launch: Launch | None = None,
    warm_start: Path | None = None,
    objects: ObjectsInMemory | None = None,
) -> StudyRun:
    """Runs or continues a study until its trials are finished or its time is over.

    Args:
        config: The study. Its directory is created, or continued if it holds the same study.
        progress: Is told what happens.
        launch: Starts Ray for the length of a `with` block; by default the Ray that this process is in is used and
            left alone, else one is started and stopped at the end.
        warm_start: Directory of an earlier study to take over from; see `take_over`.
        objects: Data and model, where the configuration names none.

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
            load = partial(load_requests, listener=progress, train_references=references, objects=objects)
            study, inputs = begin(config, lease, share, progress, warm_start, load)
        config, files = study.config, StudyFiles.of(study.config)
        if config.storage_path is not None:
            files.claim(study.noted(ID, ""))
        slots = live_slots(share, config.resources.max_concurrent)
        progress.start(study, slots)
        tracker = start_tracker(study)
        if tracker is not None:
            study.listen(tracker.submit)
        study.listen(stack.enter_context(ArtifactRetention(study, files)).trial)
        study.listen(progress.trial)
        try:
            if not study.is_over() or find_finals(study).missing or missing_confirmations(study):
                with start_ray():
                    lease.note_ray(ray_session())
                    drive: Drive = {
                        "begun_ms": begun_ms,
                        "workers": live_slots(share, config.resources.max_concurrent)(),
                    }
                    drives = [*study.noted(DRIVES, []), drive]
                    study.note(DRIVES, drives)
                    run_trials(study, ray.put(inputs), share, started, progress, ray_stays)
                    drives[-1] = {**drive, "ended_ms": now_ms()}
                    study.note(DRIVES, drives)
        except BaseException:
            if tracker is not None:
                tracker.close(None, timeout_s=2)
            raise
        # A dead or interrupted driver left trials running that no search asked for, since `n_trials` was lowered.
        study.abort_running("the study is over.")
        look_inside(study, inputs, progress)
        if tracker is not None and config.log_model:
            pack(study, inputs, progress)
        outcome = write_projections(study)
        record_search_end(study, outcome)
        problem = tracker.close(SearchSummary.of(study, outcome), timeout_s=60) if tracker is not None else None
        progress.searched()
        link = tracker.link() if tracker is not None else None
        return StudyRun(outcome, link, problem, copy_projections(config))


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
