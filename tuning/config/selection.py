"""Configuration: which trial of the front is chosen."""

from typing import Literal

from pydantic import Field

from antisample.validation.settings import Settings


class SelectionConfig(Settings):
    """Which trial of the front is chosen: high retain accuracy among those that forget well enough; see `choose`.

    Attributes:
        max_loss: How much less validation retain accuracy than the original model a trial may have, in (0, 1]; where
            samples are forgotten, less accuracy on unseen images. One that loses more is never chosen by itself.
        max_forget_accuracy: Validation forget accuracy that counts as forgotten where classes are, in [0, 1].
        max_forget_gap: Distance of the forget accuracy to that on unseen images that counts as forgotten where
            samples are, in [0, 1]; so does one that is within two standard errors of none.
        by: `rule`, which needs no retrained reference, or `oracle`, the smallest gap to it.
    """

    max_loss: float = Field(default=0.10, gt=0, le=1)
    max_forget_accuracy: float = Field(default=0.01, ge=0, le=1)
    max_forget_gap: float = Field(default=0.02, ge=0, le=1)
    by: Literal["rule", "oracle"] = "rule"
