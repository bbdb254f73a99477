"""Random labels: fine-tune on retain images, and on forget images with wrong labels (Graves et al., AAAI 2021)."""

from typing import ClassVar, Literal

import numpy as np
import torch

from antisample.data.loader import TrainingData, to_device
from antisample.errors import ConfigError
from antisample.methods.base import MethodConfig, UnlearnContext
from antisample.methods.finetune import FineTuneSettings, fine_tuner, retain_subset
from antisample.seeds import numpy_stream
from antisample.training.trainer import Trainer
from antisample.types import IndexArray


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
            drawn = _other_labels(true, n_classes, context.splits.earlier_classes, rng)
        else:
            drawn = rng.choice(np.setdiff1d(np.arange(n_classes), context.splits.gone_classes), len(forget))
        labels[len(retain) :] = torch.from_numpy(drawn).to(labels)
        data = TrainingData(images, labels, context.normaliser(), n_retain=len(retain))
        return fine_tuner(context, config, data)


def _other_labels(true: IndexArray, n_classes: int, earlier: tuple[int, ...], rng: np.random.Generator) -> IndexArray:
    """For each label another one, none of which the model has forgotten before; int64 [n].

    Raises:
        ConfigError: If there is one class alone.
    """
    kept = np.setdiff1d(np.arange(n_classes), earlier)
    if len(kept) < 2:
        raise ConfigError(
            "The method 'random_labels' needs another class to take labels from, but there is only one."
        )
    places = np.searchsorted(kept, true)
    others: IndexArray = kept[(places + rng.integers(1, len(kept), len(true))) % len(kept)]
    return others
