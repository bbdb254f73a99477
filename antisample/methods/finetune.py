"""Fine-tuning on retain data alone: the plain baseline, and the base of the anti-sample method."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from antisample.data.loader import TrainingData, to_device
from antisample.data.splits import stratified_subset
from antisample.methods.base import MethodConfig, UnlearnContext
from antisample.seeds import numpy_stream
from antisample.training.adam import Adam
from antisample.training.trainer import BatchNormMode, Loss, Trainer
from antisample.types import IndexArray

LEARNING_RATE_UNIT = 1e-3


class FineTuneSettings(MethodConfig):
    """How the network is fine-tuned, whatever the data.

    Attributes:
        unlearn_scale_lr: Learning rate of Adam in units of 1e-3; published 1.1 to 6.
        epochs: Passes over the fine-tuning data; published 5.
        batch_size: Images per step; published 128.
        retain_fraction: Share of each retain class to fine-tune on, in (0, 1]; published 0.3 and 1.
        batchnorm_mode: `eval` (published) keeps the network in eval mode while it trains: batch-normalisation
            statistics stay frozen and dropout is off.
    """

    unlearn_scale_lr: float = Field(default=1.6, gt=0)
    epochs: int = Field(default=5, ge=1)
    batch_size: int = Field(default=128, ge=2)
    retain_fraction: float = Field(default=1.0, gt=0, le=1)
    batchnorm_mode: BatchNormMode = "eval"


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
    context: UnlearnContext, config: FineTuneSettings, data: TrainingData, loss: Loss = nn.functional.cross_entropy
) -> Trainer:
    """A trainer that fine-tunes the original model with Adam at a constant learning rate.

    Args:
        context: Model, device and seed.
        config: How to fine-tune.
        data: What on.
        loss: What to minimise.

    Returns:
        A trainer at epoch 0.
    """
    model = context.original.build(context.dataset, context.device)
    optimizer = Adam(model.parameters(), config.unlearn_scale_lr * LEARNING_RATE_UNIT)
    return Trainer(
        model,
        optimizer,
        data,
        epochs=config.epochs,
        batch_size=config.batch_size,
        seed=context.seed,
        mode=config.batchnorm_mode,
        loss=loss,
        precision=context.precision,
    )
