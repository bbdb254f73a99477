"""When trials may be stopped early: the fidelity of a study."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from antisample.metrics import metric_names
from antisample.validation.settings import Settings
from tuning.config.objectives import ELAPSED


class FidelityConfig(Settings):
    """Stops underperforming trials early: trials are compared at rungs, and most do not run to completion.

    Attributes:
        attribute: `replicates`: a trial may stop after some of its replicates, judged by their mean so far. `epochs`:
            it may stop after some of its epochs.
        rule: `stopping`: replicates or epochs of a trial run in a row, and a trial that is not among the best at a
            rung is stopped. `promotion`: a trial waits at a rung until it is among the best. With replicates, each is
            a task that any free worker takes, and those up to the next rung run side by side; with epochs, the next
            worker continues from a checkpoint.
        min: The first rung, at least 1; with `promotion`, rounded up to a multiple of the number of forget requests.
        reduction_factor: Each rung is this many times as high as the previous one, and one in this many trials
            continues. 4 is the default of the published asynchronous rule (Li et al., MLSys 2020).
    """

    attribute: Literal["replicates", "epochs"] = "replicates"
    rule: Literal["stopping", "promotion"] = "stopping"
    min: int = Field(default=1, ge=1)
    reduction_factor: int = Field(default=4, ge=2)

    @property
    def promotes(self) -> bool:
        """Whether trials wait at rungs."""
        return self.rule == "promotion"

    def first_rung(self, requests: int) -> int:
        """The first rung with promotion: of replicates, whole rounds of so many forget requests."""
        return -(-self.min // requests) * requests if self.attribute == "replicates" else self.min

    def problems(
        self, full: int, replicates: int, objectives: Sequence[str], limits: Sequence[str], requests: int = 1
    ) -> list[str]:
        """Why trials cannot be stopped early, one sentence each.

        Args:
            full: Replicates or epochs of a whole trial.
            replicates: Of the study.
            objectives: Their metrics; with epochs, rungs judge by those that each epoch gives.
            limits: Metrics of constraints.
            requests: How many forget requests there are.
        """
        if self.attribute == "replicates":
            if self.min >= full:
                return [f"`fidelity.min` must be below `replicates`, which is {full}, but got {self.min}."]
            if self.promotes and self.first_rung(requests) >= full:
                return [
                    f"With fidelity.rule promotion, `replicates` must be above {self.first_rung(requests)}, since a "
                    f"trial is compared after all of its {requests} forget requests, but got {full}."
                ]
            return []
        if full == 0:
            return ["`fidelity.attribute` cannot be epochs for a method that has no `epochs`."]
        problems = [
            f"With fidelity epochs, {metric!r} cannot be used, since it is not computed after every epoch."
            for metric in limits
            if not is_known_each_epoch(metric)
        ]
        if not any(map(is_known_each_epoch, objectives)):
            problems.append(
                "With fidelity epochs, at least one objective must be computed after every epoch, but got "
                f"{', '.join(objectives)}."
            )
        if self.min >= full:
            problems.append(
                f"`fidelity.min` must be below the method's epochs, which are {full}, but got {self.min}."
            )
        if replicates > 1:
            problems.append(f"`replicates` must be 1 with fidelity epochs, but got {replicates}.")
        return problems


def is_known_each_epoch(metric: str) -> bool:
    """Whether a metric is computed after every epoch, and not only for finished models."""
    return metric in (*metric_names(("classification",)), ELAPSED)
