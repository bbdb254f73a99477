"""Relearn time: a class that comes back after one epoch was hidden, not forgotten."""

from typing import ClassVar

import numpy as np
from torch import nn

from antisample.data.drawing import stratified_subset
from antisample.data.loader import TrainingData, to_device
from antisample.metrics.base import EvaluationSubject
from antisample.models import optimised_for
from antisample.models.predictions import predict
from antisample.seeds import derive, numpy_stream
from antisample.training.adam import Adam
from antisample.training.trainer import Trainer
from antisample.types import Dataset, IndexArray, SplitName, Splits

TOLERANCE = 0.05
LEARNING_RATE = 1e-3
BATCH_SIZE = 128
IMAGES = 10_000


class Relearn:
    """Epochs of training, on a copy, until the forget accuracy is back within 5 points of the original's.

    After Tarun et al. (IEEE TNNLS 2023) and the anamnesis index of Chundawat et al. (IEEE TIFS 2023). An epoch passes
    over the same share of every class, forgotten or not, at most 10,000 images in all, with Adam at 1e-3: trained on
    forget images alone, any network would soon call everything by the forgotten name. Judged on the part's images,
    which are not trained on. `relearn_max_epochs + 1` means that it did not come back in the time given.
    """

    names: ClassVar[tuple[str, ...]] = ("relearn_epochs",)
    parts: ClassVar[tuple[SplitName, ...]] = ("validation",)

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`."""
        del dataset
        if not splits.by_samples:
            return []
        return ["Relearn time is defined for forgotten classes"]

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`."""
        dataset, splits, settings = subject.dataset, subject.splits, subject.settings
        images, forget = subject.forget_positions(part)

        def forget_accuracy(model: nn.Module) -> float:
            answers = predict(model, images, forget, subject.normaliser(), subject.device, subject.eval_batch_size)
            return float(answers.correct().mean())

        goal = forget_accuracy(subject.original.build(dataset, subject.device)) - TOLERANCE
        model = subject.original.with_weights(dataset, dict(subject.model.state_dict())).to(subject.device)
        model = optimised_for(model, subject.original.name, dataset.train.images.shape[1:], subject.device)
        trainer = Trainer(
            model,
            Adam(model.parameters(), LEARNING_RATE),
            TrainingData(
                *to_device(dataset.train, _relearn_positions(dataset, splits, settings.seed), subject.device),
                subject.normaliser(),
            ),
            epochs=settings.relearn_max_epochs,
            batch_size=BATCH_SIZE,
            seed=derive(settings.seed, "relearn"),
            mode="eval",
        )
        while forget_accuracy(model) < goal:
            if trainer.epochs_done == settings.relearn_max_epochs:
                return {"relearn_epochs": float(settings.relearn_max_epochs + 1)}
            trainer.run_epoch()
        return {"relearn_epochs": float(trainer.epochs_done)}


def _relearn_positions(dataset: Dataset, splits: Splits, seed: int) -> IndexArray:
    """The same share of every class, forgotten or not."""
    everything = np.sort(np.concatenate([splits.forget, splits.retain]))
    share = min(1.0, IMAGES / len(everything))
    labels = dataset.train.labels[everything]
    return everything[stratified_subset(labels, share, numpy_stream(seed, "relearn"))]
