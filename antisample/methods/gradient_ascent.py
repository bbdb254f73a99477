"""Gradient ascent: raise the loss on the forget images, and touch nothing else (Graves et al., AAAI 2021)."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from antisample.data.loader import TrainingData, to_device
from antisample.methods.base import MethodConfig, UnlearnContext
from antisample.methods.finetune import FineTuneSettings, fine_tuner
from antisample.training.trainer import Trainer


class GradientAscentConfig(FineTuneSettings):
    """Configuration of the method `gradient_ascent`; retain images are not used, so `retain_fraction` stays 1.

    Attributes:
        unlearn_scale_lr: Smaller than for other methods, since nothing preserves the retain classes.
        epochs: Passes over the forget images.
        retain_fraction: Always 1.
    """

    name: Literal["gradient_ascent"] = "gradient_ascent"
    uses_retain: ClassVar[bool] = False
    unlearn_scale_lr: float = Field(default=0.05, gt=0)
    epochs: int = Field(default=3, ge=1)
    retain_fraction: float = Field(default=1.0, ge=1, le=1)


class GradientAscent:
    """Minimises the negative cross-entropy over the forget images."""

    config_type: ClassVar[type[MethodConfig]] = GradientAscentConfig

    def prepare(self, context: UnlearnContext, config: GradientAscentConfig) -> Trainer:
        """See `UnlearningMethod.prepare`."""
        images, labels = to_device(context.dataset.train, context.splits.forget, context.device)
        return fine_tuner(
            context, config, TrainingData(images, labels, context.normaliser()), _negative_cross_entropy
        )


def _negative_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return -nn.functional.cross_entropy(logits, labels)
