"""Everything of a study that Ray runs: the search, the finals, and the chosen trial again."""

import time
from pathlib import Path
from typing import Any

from ray import tune

from antisample.errors import DataError
from antisample.storage.regular_files import check_inside
from tuning.driver.capacity import TrialResources
from tuning.driver.confirmation import confirm
from tuning.driver.finals import run_finals
from tuning.driver.gpu_sharing import share_gpus
from tuning.driver.machines import live_slots
from tuning.driver.pricing import price_retraining
from tuning.driver.search import RAY_FOLDER, search
from tuning.study.progress_listener import ProgressListener
from tuning.study.spending import Account
from tuning.study.study import Study, now_ms
from tuning.worker.trainable import UnlearnTrainable


class InterruptedStudyError(Exception):
    """The search was stopped by the user; the study can be resumed."""


def run_trials(
    study: Study, inputs: Any, whole: TrialResources, started: float, progress: ProgressListener, ray_stays: bool
) -> None:
    """Runs what a study still lacks, and returns when all of it is recorded.

    Args:
        study: Open for writing.
        inputs: Of its requests, in Ray's object store.
        whole: Of a machine, what a trial takes where GPUs are not shared.
        started: `time.monotonic()` of the command.
        progress: Is told what happens.
        ray_stays: Whether Ray was there before.

    Raises:
        InterruptedStudyError: If the user stopped the search.
    """
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
    if not search(study, trainable, share, live_slots(share, config.resources.max_concurrent), budget_s, ray_stays):
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


def _check_folder_of_ray(directory: Path) -> None:
    """Makes sure that what Ray Tune writes stays in the study's directory."""
    try:
        check_inside(directory / RAY_FOLDER / "trials", directory)
    except OSError as error:
        raise DataError(f"{directory}: cannot be written ({error.strerror}).") from error
