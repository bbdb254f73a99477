"""What one retraining costs where the trials run: timed once in a study with a budget, which counts in it."""

import math
from typing import Any

import ray
from ray.exceptions import RayTaskError

from antisample.errors import AntisampleError
from tuning.driver.capacity import TrialResources
from tuning.study.attributes import TIMED_RETRAINING_S
from tuning.study.study import Study
from tuning.worker.retraining_time import time_retraining


def price_retraining(study: Study, inputs: Any, share: TrialResources) -> str | None:
    """Times a retraining on a worker, unless the study has a price or needs none.

    Args:
        study: Keeps the price, so that it has the same when it goes on.
        inputs: Ray reference of the `RequestInputs`.
        share: What a trial gets.

    Returns:
        What is to be said of it; None where nothing was timed.

    Raises:
        AntisampleError: If it cannot be timed.
    """
    budget = study.config.budget
    if budget is None or study.noted(TIMED_RETRAINING_S) is not None:
        return None
    task = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_calls=1 if share.gpus else 0)(time_retraining)
    try:
        seconds: float = ray.get(task.remote(inputs, study.plan.for_workers()))
    except RayTaskError as error:
        if isinstance(error.cause, AntisampleError):
            raise error.cause from None
        raise
    seconds = seconds if math.isfinite(seconds) and seconds > 0 else 1e-3
    study.note(TIMED_RETRAINING_S, seconds)
    allowed = f", so the budget of {budget} is {budget.amount * seconds:.1f} s of workers"
    return f"One retraining takes a worker {seconds:.1f} s{allowed if budget.unit == 'retrainings' else ''}"
