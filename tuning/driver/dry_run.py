"""What a study would do and take: everything is checked as before a search, and no Ray is started."""

import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import torch

from antisample.inputs import LoadingListener
from antisample.storage.atomic import check_writable
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
from tuning.study.forecast import Workload, forecast
from tuning.study.kept_settings import as_begun, has_begun
from tuning.study.lost_trials import refuse_lost_trials
from tuning.study.model_source import noted_model
from tuning.study.plugins import check_noted_plugins
from tuning.study.prospect import Memory, Prospect, Workers
from tuning.study.reader import StudyReader
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
    left = 0 if study is not None and study.is_over() else max(0, config.n_trials - (finished or 0))
    if measured.gpu_bytes and share.gpus and config.resources.gpus_per_trial == "auto":
        total = torch.cuda.mem_get_info()[1]
        share = TrialResources(share.cpus, GpuMemory(measured.gpu_bytes, total).share())
    slots = share.slots([machine])
    workers = max(1, min(slots, config.resources.max_concurrent or slots))
    first = requests[0].splits
    missing = loaded.missing_references(plan)
    load = Workload(
        trials=left,
        confirmations=_confirmations(plan, study if not left else None),
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


def _confirmations(plan: TrialPlan, ended: StudyReader | None) -> int:
    """Runs with fresh seeds at most: of finalists, the chosen trial and the first starting point, or what is left."""
    if ended is not None:
        return len(find_finals(ended).missing) + len(missing_confirmations(ended))
    finals = plan.config.selection.finalist_replicates if plan.finalist_seeds else 0
    return finals + 2 * len(plan.confirmation_seeds)
