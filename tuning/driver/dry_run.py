"""What a study would do and take: everything is checked as before a search, and no Ray is started."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from antisample.device import choose_device
from antisample.inputs import LoadingListener, RequestData, UnlearnInputs, reference_trainings
from antisample.metrics import EvaluationSubject, Predictions
from antisample.metrics.forgetting import Forgetting
from antisample.metrics.original_accuracy import OriginalAccuracy, check_original
from antisample.models.original import OriginalModel
from antisample.models.stand_in import original_or_stand_in
from antisample.storage.atomic import check_writable
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan
from tuning.driver.capacity import Machine, TrialResources
from tuning.driver.gpu_sharing import GpuMemory
from tuning.driver.machines import worker_share
from tuning.driver.timing import Measured, measure_costs
from tuning.study.artifacts import StudyFiles
from tuning.study.attributes import FINGERPRINTS
from tuning.study.directory import check_directory, check_settings
from tuning.study.forecast import Forecast, Workload, forecast
from tuning.study.kept_settings import as_begun, has_begun
from tuning.study.lost_trials import refuse_lost_trials
from tuning.study.model_source import noted_model
from tuning.study.plugins import check_noted_plugins
from tuning.study.reader import StudyReader
from tuning.study.storage.lease import lease_backend
from tuning.study.warm_start import earlier_study
from tuning.worker.fingerprints import check_fingerprints, fingerprints_of
from tuning.worker.inputs import find_requests

_EXPORT_S = 10.0
"""What `log_model` says of the export."""


@dataclass(frozen=True)
class DryRun:
    """What a study would do, and what that takes.

    Attributes:
        plan: Of the study, as it would be run.
        forgetting: What each request forgets.
        retain_images: Of the first request.
        accuracies: Of the original, for each request; empty where it has to be trained first.
        finished: Trials that are finished already; None if the study is new.
        trials_left: Trials to finish.
        share: What one worker takes.
        machine: Where the study would run.
        workers: Workers at once.
        missing_references: Retrained references to train first.
        measured: What was timed.
        forecast: How long it takes.
        memory: Bytes of all workers and of the driver.
        free_memory: Bytes that this machine has free.
    """

    plan: TrialPlan
    forgetting: tuple[Forgetting, ...]
    retain_images: int
    accuracies: tuple[OriginalAccuracy, ...]
    finished: int | None
    trials_left: int
    share: TrialResources
    machine: Machine
    workers: int
    missing_references: int
    measured: Measured
    forecast: Forecast
    memory: int
    free_memory: int


def dry_run(
    config: StudyConfig,
    machine: Machine,
    listener: LoadingListener,
    warm_start: Path | None,
    checked_files: Sequence[str] = (),
) -> DryRun:
    """Checks a study and predicts what it takes; nothing is written but decoded images in `data.cache_dir`.

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
    requests = find_requests(plan)
    listener.data_loaded(requests)
    with_original = _WithOriginal.of(plan, requests)
    if study is not None and with_original.is_trained:
        check_fingerprints(config.directory, study.noted(FINGERPRINTS, {}), fingerprints_of(with_original.inputs))
    measured = measure_costs(plan, with_original.inputs[0], with_original.prediction_s)
    finished = study.n_finished() if study is not None else None
    left = 0 if study is not None and study.is_over() else max(0, config.n_trials - (finished or 0))
    if measured.gpu_bytes and share.gpus and config.resources.gpus_per_trial == "auto":
        total = torch.cuda.mem_get_info()[1]
        share = TrialResources(share.cpus, GpuMemory(measured.gpu_bytes, total).share())
    slots = share.slots([machine])
    workers = max(1, min(slots, config.resources.max_concurrent or slots))
    first = requests[0].splits
    missing = with_original.missing_references(plan)
    load = Workload(
        trials=left,
        workers=workers,
        requests=len(requests),
        training_images=len(first.forget) + len(first.retain),
        retain_images=len(first.retain),
        untrained_original=not with_original.is_trained,
        missing_references=missing,
        is_new=study is None,
    )
    tracked = config.mlflow_uri() is not None and config.log_model
    predicted = forecast(plan, measured.costs, load, 2 * imported_s, imported_s + _EXPORT_S * tracked)
    return DryRun(
        plan,
        tuple(request.forgetting() for request in requests),
        len(first.retain),
        with_original.accuracies,
        finished,
        left,
        share,
        machine,
        workers,
        missing,
        measured,
        predicted,
        (workers + 1) * measured.worker_bytes,
        psutil.virtual_memory().available,
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


@dataclass(frozen=True)
class _WithOriginal:
    """The inputs of the requests as far as they are there without work.

    Attributes:
        inputs: A stand-in takes the place of an original that has to be trained first.
        is_trained: Whether it need not be.
        accuracies: Of the original, for each request.
        prediction_s: About how long a worker predicts an image.
    """

    inputs: tuple[UnlearnInputs, ...]
    is_trained: bool
    accuracies: tuple[OriginalAccuracy, ...]
    prediction_s: float

    @classmethod
    def of(cls, plan: TrialPlan, requests: Sequence[RequestData]) -> "_WithOriginal":
        """Loads the original, measures it on validation images, and refuses one that knows nothing."""
        config = plan.config
        device = choose_device(config.device)
        first = requests[0]
        original, is_trained = original_or_stand_in(
            config.model, first.dataset, first.splits, config.data.cache_dir, device
        )
        inputs, accuracies = [], []
        validation: Predictions | None = None
        prediction_s = 0.0
        for request in requests:
            if is_trained and (validation is None or request.splits.by_samples):
                validation, prediction_s = _predicted(_subject(plan, request, original, device))
            inputs.append(
                UnlearnInputs(
                    request.dataset,
                    request.splits,
                    original,
                    left_out=request.left_out,
                    original_validation=validation,
                )
            )
            if validation is not None:
                accuracies.append(OriginalAccuracy.of(validation, request.splits))
                if not config.model.accept_original:
                    check_original(validation, request.dataset, request.splits)
        if validation is None:
            prediction_s = _prediction_s(_subject(plan, first, original, device))
        alone = torch.get_num_threads() / config.resources.cpus_per_trial if device.type == "cpu" else 1.0
        return cls(tuple(inputs), is_trained, tuple(accuracies), max(1.0, alone) * prediction_s)

    def missing_references(self, plan: TrialPlan) -> int:
        """How many retrained references have to be trained first, over all requests."""
        trainings = [
            training
            for request, each in enumerate(self.inputs)
            for training in reference_trainings(
                plan.starting_config(request), each.dataset, each.splits, each.original
            )
        ]
        return sum(not self.is_trained or not training.is_kept() for training in trainings)


def _subject(
    plan: TrialPlan, request: RequestData, original: OriginalModel, device: torch.device
) -> EvaluationSubject:
    model = original.build(request.dataset, device)
    return EvaluationSubject(model, request.dataset, request.splits, original, plan.config.evaluation)


def _predicted(subject: EvaluationSubject) -> tuple[Predictions, float]:
    """The predictions of the validation part, and the seconds that each took."""
    predictions: Any = None
    seconds = _seconds(lambda: subject.predictions("validation"))
    predictions = subject.predictions("validation")  # made already
    return predictions, seconds / max(1, len(predictions.labels))


def _prediction_s(subject: EvaluationSubject) -> float:
    """Seconds that the prediction of an image takes, by a few of them."""
    from tuning.driver.timing import part_of

    few = EvaluationSubject(
        subject.model, subject.dataset, part_of(subject.splits, 256), subject.original, subject.settings
    )
    return _predicted(few)[1]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
