"""Retraining from scratch without the forget set: the reference that every unlearning method is held against."""

from typing import ClassVar, Literal

from antisample.data.loader import TrainingData, to_device
from antisample.methods.base import MethodConfig, UnlearnContext
from antisample.models import optimised_for
from antisample.training.trainer import Trainer, TrainingRecipe, train_from_scratch


class RetrainConfig(TrainingRecipe, MethodConfig):
    """Configuration of the method `retrain`: the recipe of the original model; the run's seed replaces its own."""

    name: Literal["retrain"] = "retrain"


class Retrain:
    """Trains on all retain images from the original's initial weights. Exact by construction, and the slowest.

    Initial weights that are random are drawn anew, from the run's seed.
    """

    config_type: ClassVar[type[MethodConfig]] = RetrainConfig

    def prepare(self, context: UnlearnContext, config: RetrainConfig) -> Trainer:
        """See `UnlearningMethod.prepare`."""
        images, labels = to_device(context.dataset.train, context.splits.retain, context.device)
        original, dataset = context.original, context.dataset
        shape = dataset.train.images.shape[1:]
        model = optimised_for(original.fresh_model(dataset, context.seed), original.name, shape, context.device)
        return train_from_scratch(model, TrainingData(images, labels, context.normaliser()), config, context.seed)
