"""Retraining from scratch without the forget set: the reference that every unlearning method is held against."""

from typing import ClassVar, Literal

import torch

from antisample.loader import TrainingData, to_device
from antisample.methods.base import MethodConfig, UnlearnContext
from antisample.models import build_model, use_patch_convolutions
from antisample.seeds import derive
from antisample.train import Trainer, TrainingRecipe, train_from_scratch


class RetrainConfig(TrainingRecipe, MethodConfig):
    """Configuration of the method `retrain`: the recipe of the original model; the run's seed replaces its own."""

    name: Literal["retrain"] = "retrain"


class Retrain:
    """Trains fresh weights on all retain images. Exact by construction, and the slowest."""

    config_type: ClassVar[type[MethodConfig]] = RetrainConfig

    def prepare(self, context: UnlearnContext, config: RetrainConfig) -> Trainer:
        """See `UnlearningMethod.prepare`."""
        images, labels = to_device(context.dataset.train, context.splits.retain, context.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(context.seed, "initial weights"))
            model = build_model(context.original.name, context.dataset.n_classes, context.dataset.channels)
        model = use_patch_convolutions(model.to(context.device), context.device)
        return train_from_scratch(model, TrainingData(images, labels, context.normaliser()), config, context.seed)
