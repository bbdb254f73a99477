"""NegGrad+ (Kurmanji et al., NeurIPS 2023): descend on retain images and ascend on forget images in the same step."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from torch import Tensor, nn

from antisample.data.loader import TrainingData, to_device
from antisample.methods.base import MethodConfig, UnlearnContext
from antisample.methods.finetune import FineTuneSettings, fine_tuner, retain_subset
from antisample.training.distillation import Reduction
from antisample.training.trainer import Loss, Trainer


class NegGradPlusConfig(FineTuneSettings):
    """Configuration of the method `neggrad_plus`.

    Attributes:
        alpha: Weight of the retain loss, in (0, 1); the forget loss counts -(1 - alpha). Published 0.95 to 0.9999.
        unlearn_scale_lr: Smaller than for fine-tuning: the forget loss has no upper bound.
    """

    name: Literal["neggrad_plus"] = "neggrad_plus"
    alpha: float = Field(default=0.95, gt=0, lt=1)
    unlearn_scale_lr: float = Field(default=0.5, gt=0)


class NegGradPlus:
    """Minimises alpha x retain loss - (1 - alpha) x forget loss, each the mean over its images of the batch."""

    config_type: ClassVar[type[MethodConfig]] = NegGradPlusConfig

    def prepare(self, context: UnlearnContext, config: NegGradPlusConfig) -> Trainer:
        """See `UnlearningMethod.prepare`."""
        retain = retain_subset(context, config.retain_fraction)
        positions = np.concatenate([retain, context.splits.forget])
        images, labels = to_device(context.dataset.train, positions, context.device)
        n_classes = context.dataset.n_classes
        labels[len(retain) :] += n_classes
        data = TrainingData(images, labels, context.normaliser(), n_retain=len(retain))
        loss, reduction = neggrad_plus_loss(config.alpha, n_classes), neggrad_plus_reduction(config.alpha)
        return fine_tuner(context, config, data, loss, reduction)


def neggrad_plus_reduction(alpha: float) -> Reduction:
    """The loss of a batch by the losses of its images.

    Args:
        alpha: Weight of the retain loss.

    Returns:
        A function of losses [b] and whether each image is a retain image [b]; a kind that the batch lacks adds
        nothing.
    """

    def reduction(losses: Tensor, is_retain: Tensor) -> Tensor:
        def mean(mask: Tensor) -> Tensor:
            return (losses * mask).sum() / mask.sum().clamp_min(1)

        return alpha * mean(is_retain) - (1 - alpha) * mean(~is_retain)

    return reduction


def neggrad_plus_loss(alpha: float, n_classes: int) -> Loss:
    """The loss of a batch that holds retain and forget images.

    Args:
        alpha: Weight of the retain loss.
        n_classes: Labels of forget images come with this added: so that a batch says which images they are.

    Returns:
        A function of logits [b, classes] and labels [b]; a kind that the batch lacks adds nothing.
    """
    reduction = neggrad_plus_reduction(alpha)

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        losses = nn.functional.cross_entropy(logits, labels % n_classes, reduction="none")
        return reduction(losses, labels < n_classes)

    return loss
