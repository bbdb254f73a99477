"""Random labels: fine-tune on retain images, and on forget images with wrong labels (Graves et al., AAAI 2021)."""

from typing import ClassVar, Literal

import numpy as np
import torch

from antisample.data.loader import TrainingData, to_device
from antisample.methods.base import MethodConfig, UnlearnContext
from antisample.methods.finetune import FineTuneSettings, fine_tuner, retain_subset
from antisample.seeds import numpy_stream
from antisample.training.trainer import Trainer


class RandomLabelsConfig(FineTuneSettings):
    """Configuration of the method `random_labels`."""

    name: Literal["random_labels"] = "random_labels"


class RandomLabels:
    """Every forget image gets the label of another class, drawn once; the network learns to confuse what it knew.

    Of classes to forget, the label is one of a class to keep.
    """

    config_type: ClassVar[type[MethodConfig]] = RandomLabelsConfig

    def prepare(self, context: UnlearnContext, config: RandomLabelsConfig) -> Trainer:
        """See `UnlearningMethod.prepare`."""
        retain, forget = retain_subset(context, config.retain_fraction), context.splits.forget
        images, labels = to_device(context.dataset.train, np.concatenate([retain, forget]), context.device)
        n_classes, rng = context.dataset.n_classes, numpy_stream(context.seed, "random labels")
        if context.splits.by_samples:
            true = context.dataset.train.labels[forget]
            drawn = (true + rng.integers(1, n_classes, len(forget))) % n_classes
        else:
            drawn = rng.choice(np.setdiff1d(np.arange(n_classes), context.splits.forget_classes), len(forget))
        labels[len(retain) :] = torch.from_numpy(drawn).to(labels)
        data = TrainingData(images, labels, context.normaliser(), n_retain=len(retain))
        return fine_tuner(context, config, data)
