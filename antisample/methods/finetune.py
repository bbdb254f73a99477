"""Fine-tuning on retain data alone: the plain baseline, and the base of the anti-sample method."""

import math
from typing import ClassVar, Literal

from torch import nn

from antisample.data.drawing import stratified_subset
from antisample.data.loader import TrainingData, to_device
from antisample.methods.base import MethodConfig, UnlearnContext
from antisample.methods.levers import FineTuneSettings
from antisample.methods.reinitialise import reinitialise_last
from antisample.seeds import numpy_stream
from antisample.training.adam import Adam
from antisample.training.augmentation import FlipShift
from antisample.training.distillation import BatchLoss, Distillation, Reduction, mean
from antisample.training.learning_rate import Schedule
from antisample.training.sgd import Sgd
from antisample.training.trainer import Loss, Trainer
from antisample.types import IndexArray


class FineTuneConfig(FineTuneSettings):
    """Configuration of the method `finetune`."""

    name: Literal["finetune"] = "finetune"


class FineTune:
    """Continues training on retain images; the forget class fades only as far as the network forgets by itself."""

    config_type: ClassVar[type[MethodConfig]] = FineTuneConfig

    def prepare(self, context: UnlearnContext, config: FineTuneConfig) -> Trainer:
        """See `UnlearningMethod.prepare`."""
        images, labels = to_device(
            context.dataset.train, retain_subset(context, config.retain_fraction), context.device
        )
        return fine_tuner(context, config, TrainingData(images, labels, context.normaliser()))


def retain_subset(context: UnlearnContext, retain_fraction: float) -> IndexArray:
    """Positions in the training split of the retain images to fine-tune on; nested in `retain_fraction`."""
    retain = context.splits.retain
    labels = context.dataset.train.labels[retain]
    return retain[stratified_subset(labels, retain_fraction, numpy_stream(context.seed, "retain subset"))]


def fine_tuner(
    context: UnlearnContext,
    config: FineTuneSettings,
    data: TrainingData,
    loss: Loss = nn.functional.cross_entropy,
    reduction: Reduction = mean,
) -> Trainer:
    """A trainer that fine-tunes the original model.

    Args:
        context: Model, device and seed.
        config: How to fine-tune.
        data: What on; says which images are retain images.
        loss: What to minimise.
        reduction: The same in terms of the images' cross-entropies, for where these are mixed with a teacher's
            answers or count differently.

    Returns:
        A trainer at epoch 0.
    """
    model = context.original.build(context.dataset, context.device)
    if config.reinitialise:
        reinitialise_last(model, config.reinitialise, context.original, context.dataset, context.seed)
    rates = Schedule(
        config.learning_rate,
        config.epochs * math.ceil(len(data) / config.batch_size),
        config.schedule,
        config.warmup,
    )
    return Trainer(
        model,
        _optimizer(model, config),
        data,
        epochs=config.epochs,
        batch_size=config.batch_size,
        seed=context.seed,
        mode=config.batchnorm_mode,
        rates=None if rates.is_constant else rates,
        augment=None if config.augment == "none" else FlipShift(config.max_shift, flip=config.augment != "shift"),
        loss=loss,
        batch_loss=_batch_loss(context, config, reduction),
        precision=context.precision,
    )


def _optimizer(model: nn.Module, config: FineTuneSettings) -> Adam | Sgd:
    parameters, rate, decay = model.parameters(), config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return Sgd(parameters, rate, momentum=config.momentum, weight_decay=decay)
    return Adam(parameters, rate, weight_decay=decay, decoupled=config.optimizer == "adamw")


def _batch_loss(context: UnlearnContext, config: FineTuneSettings, reduction: Reduction) -> BatchLoss | None:
    """None where the loss is that of the logits and labels alone."""
    distillation = None
    if config.distillation:
        teacher = context.original.build(context.dataset, context.device)
        forgotten = context.splits.gone_classes
        distillation = Distillation(
            teacher, forgotten, config.distillation, config.distillation_temperature, context.precision
        )
    if distillation is None and config.counts_equally:
        return None
    return BatchLoss(reduction, context.dataset.n_classes, distillation)


__all__ = ["FineTune", "FineTuneConfig", "FineTuneSettings", "fine_tuner", "retain_subset"]
