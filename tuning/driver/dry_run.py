"""What a study would do and take: everything is checked as before a search, and no Ray is started."""

import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import torch

from antisample.inputs import LoadingListener
from antisample.storage.atomic import check_writable
from tuning.config.budget import kept_for_the_end
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan
from tuning.driver.capacity import Machine, TrialResources
from tuning.driver.confirmation import missing_confirmations
from tuning.driver.gpu_sharing import GpuMemory
from tuning.driver.loaded_requests import LoadedRequests
from tuning.driver.machines import worker_share
from tuning.driver.settling import settled_space
from tuning.driver.timing import measure_costs
from tuning.memory.settling import describe_memory, settle_memory, with_fewer_recipes
from tuning.study.artifacts import StudyFiles
from tuning.study.attributes import FINGERPRINTS
from tuning.study.directory import check_directory, check_settings
from tuning.study.finals import find_finals
from tuning.study.forecast import UnlearningCosts, Workload, forecast, mean_epochs
from tuning.study.kept_settings import as_begun, has_begun
from tuning.study.lost_trials import refuse_lost_trials
from tuning.study.model_source import noted_model
from tuning.study.plugins import check_noted_plugins
from tuning.study.prospect import Memory, Prospect, Workers
from tuning.study.reader import StudyReader
from tuning.study.spending import Account
from tuning.study.storage.lease import lease_backend
from tuning.study.warm_start import earlier_study
from tuning.worker.fingerprints import check_fingerprints, fingerprints_of
from tuning.worker.inputs import find_requests, labels_of

_EXPORT_S = 10.0
"""What `log_model` says of the export."""


def dry_run(
    config: StudyConfig,
    machine: Machine,
    listener: LoadingListener,
    warm_start: Path | None,
    checked_files: Sequence[str] = (),
) -> Prospect:
    """Checks a study and predicts what it takes; decoded images and found copies are written, in `data.cache_dir`.

    Args:
        config: The study.
        machine: Where it would run.
        listener: Is told what will be forgotten.
        warm_start: See `run`.
        checked_files: Names of files that the study would write into its directory.

    Raises:
        AntisampleError: Whatever would stop a search before it starts.
    """
    imported_s = time.time() - psutil.Process().create_time()
    config = as_begun(config)
    share = worker_share(config, [machine])
    check_directory(config)
    check_writable(config.directory, checked_files)
    holder = lease_backend(config).read()
    if holder is not None:
        holder.refuse_if_alive(str(config.directory))
    StudyFiles.of(config).check()
    study, plan = _kept(config)
    if warm_start is not None:
        earlier_study(warm_start, plan.space)
    requests = find_requests(plan, listener)
    listener.data_loaded(requests)
    loaded = LoadedRequests.of(plan, requests)
    if study is not None and loaded.is_trained:
        earlier = study.noted(FINGERPRINTS, {})
        check_fingerprints(config.directory, earlier, fingerprints_of(loaded.inputs))
    remembered = None
    if study is None:
        begun = settled_space(config, loaded.inputs)[0]
        if warm_start is None or config.memory != "auto":
            remembered = settle_memory(begun, fingerprints_of(loaded.inputs), labels_of(loaded.inputs))
        plan = TrialPlan.of(with_fewer_recipes(begun, remembered))
    measured = measure_costs(plan, loaded.inputs[0], loaded.prediction_s)
    finished = study.n_finished() if study is not None else None
    if measured.gpu_bytes and share.gpus and config.resources.gpus_per_trial == "auto":
        total = torch.cuda.mem_get_info()[1]
        share = TrialResources(share.cpus, GpuMemory(measured.gpu_bytes, total).share())
    slots = share.slots([machine])
    workers = max(1, min(slots, config.resources.max_concurrent or slots))
    left, confirmations = _to_run(plan, study, measured.costs, workers)
    first = requests[0].splits
    missing = loaded.missing_references(plan)
    load = Workload(
        trials=left,
        confirmations=confirmations,
        workers=workers,
        requests=len(requests),
        training_images=len(first.forget) + len(first.retain),
        retain_images=len(first.retain),
        untrained_original=not loaded.is_trained,
        missing_references=missing,
        is_new=study is None,
    )
    tracked = config.mlflow_uri() is not None and config.log_model
    # This process, Ray and the workers start one after the other; runs with fresh seeds have workers of their own.
    worker_s = imported_s + measured.first_s
    starts_s, ends_s = 2 * imported_s + worker_s, imported_s + _EXPORT_S * tracked
    predicted = forecast(plan, measured.costs, load, starts_s, ends_s, worker_s)
    return Prospect(
        plan=plan,
        forgetting=tuple(request.forgetting() for request in requests),
        retain_images=len(first.retain),
        accuracies=loaded.accuracies,
        remembered=describe_memory(remembered) if remembered is not None else None,
        finished=finished,
        trials_left=left,
        missing_references=missing,
        workers=Workers(workers, slots, share.cpus, share.gpus, machine.cpus, machine.gpus),
        forecast=predicted,
        not_measured=measured.not_measured,
        memory=Memory(
            worker=measured.worker_bytes,
            total=(workers + 1) * measured.worker_bytes,
            free=psutil.virtual_memory().available,
            gpu=measured.gpu_bytes,
        ),
    )


def _kept(config: StudyConfig) -> tuple[StudyReader | None, TrialPlan]:
    """The study that would be continued, checked, or None; and its plan."""
    if not has_begun(config):
        return None, TrialPlan.of(config)
    study = StudyReader(config)
    check_settings(study)
    refuse_lost_trials(study)
    check_noted_plugins(study)
    return study, study.plan.with_model(noted_model(study))


def _to_run(plan: TrialPlan, study: StudyReader | None, costs: UnlearningCosts, workers: int) -> tuple[int, int]:
    """Trials to finish, and runs with fresh seeds after them: at most, or as many as a budget is enough for."""
    config, most_runs = plan.config, plan.runs_after_the_search
    if study is not None and study.is_over():
        return 0, len(find_finals(study).missing) + len(missing_confirmations(study))
    finished = study.n_finished() if study is not None else 0
    most = None if config.n_trials is None else max(0, config.n_trials - finished)
    if config.budget is None:
        return most or 0, most_runs
    account = Account.of(study) if study is not None else None
    by_clock = config.budget.unit == "minutes"
    limit_s = config.budget.amount * (60 if by_clock else costs.retraining_s)
    limit_s, used_s = (account.limit_s, account.used_s) if account is not None else (limit_s, 0.0)
    each_s = costs.unlearning_s(mean_epochs(plan)) / (workers if by_clock else 1)
    run_s, trial_s = each_s * len(config.forget), each_s * config.replicates
    search_s = max(0.0, limit_s - used_s - kept_for_the_end(limit_s, run_s, most_runs))
    trials = max(1 if not finished else 0, int(search_s / trial_s))
    trials = trials if most is None else min(trials, most)
    return trials, min(most_runs, int(max(0.0, limit_s - used_s - trials * trial_s) / run_s))
