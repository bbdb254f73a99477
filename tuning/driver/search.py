"""The search: Ray Tune runs the trials that a study suggests, until it wants no more."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray import tune
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayActorError, WorkerCrashedError
from ray.tune.error import TuneError
from ray.tune.execution import class_cache

from antisample.errors import AntisampleError
from tuning.driver.capacity import TrialResources
from tuning.driver.error_capture import ErrorCapture
from tuning.driver.scheduler import StudyScheduler
from tuning.driver.searcher import StudySearcher
from tuning.interruption import interrupts_noted
from tuning.study.study import Study

RAY_FOLDER = "ray"
"""Name of the folder in the directory of a study that is Ray Tune's."""

_SETTINGS = {
    # As many workers start at once as the searcher has trials for; with a searcher Ray starts one after another.
    "TUNE_MAX_PENDING_TRIALS_PG": str(sys.maxsize),
    # Tune would end its workers in order, which takes as long as their epoch and up to 15 s.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # A table and hints on the terminal, and 200 files of loggers that nobody reads.
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}


_LOST_WORKER = (RayActorError, WorkerCrashedError, NodeDiedError, OutOfMemoryError)


class _SearchStopped(BaseException):
    """Leaves Ray Tune's loop; an `Exception` would make it wait for its workers."""


class _StopBetweenSteps(tune.Callback):
    """Ends the search at the user's wish, while nothing is being recorded."""

    def __init__(self, wished: threading.Event) -> None:
        self._wished = wished

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:  # noqa: ARG002
        """Ray's hook before each step of its loop, ten a second at least."""
        if self._wished.is_set():
            raise _SearchStopped

    def __getstate__(self) -> dict[str, Any]:
        """Ray pickles its tuner for a restore that is never used here: resuming goes through the study."""
        return {}


class _SilentReporter(tune.ProgressReporter):
    """Shows nothing: in a notebook, Ray's own would wipe out what a cell has shown before."""

    def should_report(self, trials: list[Any], done: bool = False) -> bool:
        """Never."""
        del trials, done
        return False

    def report(self, trials: list[Any], done: bool, *sys_info: str) -> None:
        """Nothing."""


def search(
    study: Study,
    trainable: Any,
    share: TrialResources,
    slots: Callable[[], int],
    budget_s: float | None = None,
    ray_stays: bool = False,
) -> bool:
    """Runs trials until the study is over or time is up.

    Args:
        study: Suggests trials and takes their results; open for writing.
        trainable: A Ray trainable that reports as `UnlearnTrainable` does.
        share: What one trial gets.
        slots: Says how many trials may be under way at the moment, at least 1.
        budget_s: Seconds for it; None for no limit.
        ray_stays: Whether Ray outlives the search, which then leaves nothing on it when it is stopped.

    Returns:
        Whether it came to its end; False if the user stopped it.

    Raises:
        AntisampleError: What the study met that ends the search, such as a full disk.
    """
    deadline = time.monotonic() + budget_s if budget_s is not None else None
    # A setting of PyTorch Lightning that Tune gives to every worker, so that none of the waiting processes would do.
    class_cache.DEFAULT_ENV_VARS.clear()
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    for name in ("tune", "execution.tune_controller"):
        logging.getLogger(f"ray.tune.{name}").addFilter(_is_not_ours)
    errors = ErrorCapture()
    scheduler = StudyScheduler(study, errors)
    out_of_time = False
    try:
        with _settings(), _without_credentials(), interrupts_noted() as wished:
            tune.Tuner(
                tune.with_resources(trainable, {"CPU": share.cpus, "GPU": share.gpus}),
                tune_config=tune.TuneConfig(
                    search_alg=StudySearcher(study, slots, errors, deadline),
                    scheduler=scheduler,
                    num_samples=-1,
                    reuse_actors=True,
                    time_budget_s=max(1.0, budget_s) if budget_s is not None else None,
                    trial_dirname_creator=lambda trial: f"trial_{trial.trial_id}",
                ),
                run_config=tune.RunConfig(
                    name=RAY_FOLDER,
                    storage_path=str(study.config.directory.resolve()),
                    verbose=0,
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                    progress_reporter=_SilentReporter(),
                    callbacks=[_StopBetweenSteps(wished)],
                ),
            ).fit()
        if wished.is_set():  # while the last trial ended
            return False
    except _SearchStopped:
        if ray_stays:
            scheduler.end_workers()
        return False
    except TuneError:
        if errors.error is None:
            raise
        raise errors.error from None
    finally:
        # What an interruption leaves RUNNING goes on when the study does.
        out_of_time = deadline is not None and time.monotonic() >= deadline
        if out_of_time:
            study.abort_running("the time budget is used up.")
    return study.is_over() or out_of_time


@contextmanager
def _settings() -> Iterator[None]:
    """Tells Ray Tune through the environment, which is as it was afterwards."""
    before = {name: os.environ.get(name) for name in _SETTINGS}
    os.environ.update(_SETTINGS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _without_credentials() -> Iterator[None]:
    """Keeps keys of AWS from a Ray on this machine, which writes those of a trial to a log.

    The workers here inherit them from this process. Those of a cluster need them from Ray.
    """
    node, propagated = ray._private.worker._global_node, class_cache.ENV_VARS_TO_PROPAGATE
    if node is not None and node.is_head():
        class_cache.ENV_VARS_TO_PROPAGATE = {name for name in propagated if not name.startswith("AWS_")}
    try:
        yield
    finally:
        class_cache.ENV_VARS_TO_PROPAGATE = propagated


def _is_not_ours(record: logging.LogRecord) -> bool:
    """Leaves out of Ray's log what the command line says in a line, without the traceback."""
    if record.exc_info:
        return not isinstance(record.exc_info[1], (AntisampleError, *_LOST_WORKER))
    return not record.getMessage().startswith("Trials did not complete")
