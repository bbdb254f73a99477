"""The search: Ray Tune runs the trials that a study suggests, until it wants no more."""

import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from ray import tune
from ray.tune.error import TuneError
from ray.tune.execution import class_cache

from antisample.errors import AntisampleError
from tuning.resources import WorkerShare
from tuning.scheduler import StudyScheduler
from tuning.searcher import StudySearcher
from tuning.study import Study


def search(
    study: Study, trainable: Any, share: WorkerShare, slots: Callable[[], int], budget_s: float | None = None
) -> bool:
    """Runs trials until the study is over or time is up.

    Args:
        study: Suggests trials and takes their results; open for writing.
        trainable: A Ray trainable that reports as `UnlearnTrainable` does.
        share: What one trial gets.
        slots: Says how many trials may be under way at the moment, at least 1.
        budget_s: Seconds for it; None for no limit.

    Returns:
        Whether it came to its end; False if the user stopped it.

    Raises:
        AntisampleError: What the study met that ends the search, such as a full disk.
    """
    deadline = time.monotonic() + budget_s if budget_s is not None else None
    # A setting of PyTorch Lightning that Tune gives to every worker, so that none of the waiting processes would do.
    class_cache.DEFAULT_ENV_VARS.clear()
    # As many workers start at once as the searcher has trials for; with a searcher Ray starts one after another.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(sys.maxsize)
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    logging.getLogger("ray.tune.execution.tune_controller").addFilter(_is_not_ours)
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"CPU": share.cpus, "GPU": share.gpus}),
        tune_config=tune.TuneConfig(
            search_alg=StudySearcher(study, slots, deadline),
            scheduler=StudyScheduler(study),
            num_samples=-1,
            reuse_actors=True,
            time_budget_s=max(1.0, budget_s) if budget_s is not None else None,
            trial_dirname_creator=lambda trial: f"trial_{trial.trial_id}",
        ),
        run_config=tune.RunConfig(
            name="ray",
            storage_path=str(study.config.directory.resolve()),
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )
    out_of_time = False
    try:
        tuner.fit()
    except TuneError:
        if study.problem is None:
            raise
        raise study.problem from None
    finally:
        # What an interruption leaves RUNNING goes on when the study does.
        out_of_time = deadline is not None and time.monotonic() >= deadline
        if out_of_time:
            study.settle("Interrupted: the time budget is used up.")
    return study.is_over() or out_of_time


def _is_not_ours(record: logging.LogRecord) -> bool:
    """Leaves out of Ray's log what the command line says at the end, without the traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], AntisampleError))
