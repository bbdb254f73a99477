"""Configuration: which trial of the front is chosen."""

from typing import Literal

from pydantic import Field

from antisample.validation.settings import Settings


class SelectionConfig(Settings):
    """Which trial of the front is chosen: high retain accuracy among those that forget well enough; see `choose`.

    Attributes:
        max_loss: Largest loss of validation retain accuracy compared with the original model, in (0, 1]; for samples,
            of accuracy on unseen images. A trial that loses more is never chosen automatically.
        max_retain_drop: Where the study searches for depth (`probe_left`): how much less than a mask a trial may
            keep, in validation retain accuracy, in [0, 1]; one paired standard error is added.
        max_forget_accuracy: Highest validation forget accuracy that counts as forgotten, for classes, in [0, 1].
        max_forget_gap: Largest difference between forget accuracy and accuracy on unseen images that counts as
            forgotten, for samples, in [0, 1]; a gap within two standard errors of zero also does.
        finalists: How many trials are run again with fresh seeds before one of them is chosen, by these runs alone; 0
            or 1 chooses by the figures of the search. Without `confirm_seeds` nothing is run again.
        finalist_replicates: How many such runs there are at most, over all finalists. They end as soon as more would
            not change the choice.
        by: `rule`, which needs no retrained reference, or `oracle`, the smallest gap to the retrained reference.
    """

    max_loss: float = Field(default=0.10, gt=0, le=1)
    max_retain_drop: float = Field(default=0.01, ge=0, le=1)
    max_forget_accuracy: float = Field(default=0.01, ge=0, le=1)
    max_forget_gap: float = Field(default=0.02, ge=0, le=1)
    finalists: int = Field(default=5, ge=0, le=100)
    finalist_replicates: int = Field(default=20, ge=0, le=10_000)
    by: Literal["rule", "oracle"] = "rule"
