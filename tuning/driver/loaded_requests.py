"""The inputs of a study's forget requests as far as they are there without work: nothing is trained or kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from antisample.device import choose_device
from antisample.inputs import RequestData, UnlearnInputs, reference_trainings
from antisample.metrics import EvaluationSubject, Predictions
from antisample.metrics.original_accuracy import OriginalAccuracy, check_original
from antisample.models.original import OriginalModel
from antisample.models.stand_in import original_or_stand_in
from tuning.config.trial_plan import TrialPlan
from tuning.worker.retraining_time import part_of, predicted

_FEW = 256


@dataclass(frozen=True)
class LoadedRequests:
    """What is there of the requests.

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
    def of(cls, plan: TrialPlan, requests: Sequence[RequestData]) -> "LoadedRequests":
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
                validation, prediction_s = predicted(_subject(plan, request, original, device))
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


def _prediction_s(subject: EvaluationSubject) -> float:
    """Seconds that the prediction of an image takes, by a few of them."""
    return predicted(replace(subject, splits=part_of(subject.splits, _FEW)))[1]
