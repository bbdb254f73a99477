"""The levers of fine-tuning: what the method as published leaves out, and what good recipes have."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from antisample.methods.base import MethodConfig
from antisample.training.augmentation import AugmentName
from antisample.training.learning_rate import ScheduleName
from antisample.training.trainer import BatchNormMode

OptimizerName = Literal["adam", "adamw", "sgd"]

LEARNING_RATE_UNITS: dict[OptimizerName, float] = {"adam": 1e-3, "adamw": 1e-3, "sgd": 3e-2}
"""What `unlearn_scale_lr` counts in: of SGD larger, so that one range of values serves all optimisers."""


class FineTuneSettings(MethodConfig):
    """How the network is fine-tuned, and on how much retain data. The defaults are the published recipe.

    Attributes:
        unlearn_scale_lr: Learning rate in units of 1e-3, with `sgd` of 3e-2; published 1.1 to 6. With a schedule, its
            peak.
        epochs: Passes over the fine-tuning data; published 5.
        batch_size: Images per step; published 128.
        retain_fraction: Share of each retain class to fine-tune on, in (0, 1]; published 0.3 and 1.
        batchnorm_mode: `eval` (published) keeps the network in eval mode while it trains: batch-normalisation
            statistics stay frozen and dropout is off.
        optimizer: `adam` (published), `adamw` or `sgd`.
        momentum: Of `sgd`, in [0, 1).
        weight_decay: At least 0; decoupled with `adamw`, as a part of the gradient with `adam` and `sgd`.
        schedule: `constant` (published), or `cosine`: half a wave from the learning rate down to 0 over all steps.
        warmup: Share of the steps in which the learning rate rises to its peak, in [0, 1).
        augment: Of retain images: `none` (published), `shift`, or `flip_shift`, which also mirrors half of them.
            Flips suit images that mean the same mirrored, and digits do not.
        max_shift: Largest shift in each direction in pixels, at least 1; uncovered pixels become the mean of the
            data.
        distillation: Share d of the original model's own answers in the loss of retain images, in [0, 1]; see
            `antisample.training.distillation`. Published 0.
        distillation_temperature: Softens both answers, larger than 0.
        reinitialise: How many of the network's last stages lose their weights before fine-tuning, and with them
            whatever comes after them; more than there are means all. Published 0.
    """

    unlearn_scale_lr: float = Field(default=1.6, gt=0)
    epochs: int = Field(default=5, ge=1)
    batch_size: int = Field(default=128, ge=2)
    retain_fraction: float = Field(default=1.0, gt=0, le=1)
    batchnorm_mode: BatchNormMode = "eval"
    optimizer: OptimizerName = "adam"
    momentum: float = Field(default=0.0, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: ScheduleName = "constant"
    warmup: float = Field(default=0.0, ge=0, lt=1)
    augment: AugmentName = "none"
    max_shift: int = Field(default=3, ge=1)
    distillation: float = Field(default=0.0, ge=0, le=1)
    distillation_temperature: float = Field(default=2.0, gt=0)
    reinitialise: int = Field(default=0, ge=0)

    uses_retain: ClassVar[bool] = True
    """Whether the method trains on retain images, which are what is augmented and distilled on."""

    @model_validator(mode="after")
    def _momentum_of_sgd(self) -> "FineTuneSettings":
        if self.momentum and self.optimizer != "sgd":
            raise ValueError(f"`momentum` must be 0 with the optimizer {self.optimizer}, but got {self.momentum}")
        return self

    @model_validator(mode="after")
    def _retain_levers_fit(self) -> "FineTuneSettings":
        if self.uses_retain:
            return self
        name = type(self).model_fields["name"].default
        for lever, value, off in (("augment", self.augment, "none"), ("distillation", self.distillation, 0)):
            if value != off:
                raise ValueError(
                    f"`{lever}` must be {off} with the method {name}, which trains on no retain images, "
                    f"but got {value}"
                )
        return self

    @property
    def counts_equally(self) -> bool:
        """Whether all images of a batch have the same weight."""
        return True

    @property
    def learning_rate(self) -> float:
        """The learning rate, or its peak."""
        return self.unlearn_scale_lr * LEARNING_RATE_UNITS[self.optimizer]
