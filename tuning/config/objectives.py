"""What a study optimises, and what a trial must keep to be worth anything."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import field_validator, model_validator

from antisample.data.forget_request import ForgetRequest
from antisample.metrics import metric_names
from antisample.validation.settings import Settings
from antisample.validation.spelling import did_you_mean

ELAPSED = "elapsed_s"
DEPTH = "validation/probe_left"
RETAIN = "validation/retain_accuracy"


def _validation_metric(metric: str) -> str:
    allowed = [name for name in metric_names() if name.startswith("validation/")]
    if metric in metric_names() and metric not in allowed:
        raise ValueError(f"must be a validation metric, but got {metric!r}")
    if metric not in allowed:
        meant = did_you_mean(metric, allowed)
        raise ValueError(f"must be one of {', '.join(allowed)}, but got {metric!r}{meant and '.' + meant}")
    return metric


class Objective(Settings):
    """One thing to optimise.

    Attributes:
        metric: Name of a validation metric.
        direction: Whether smaller or larger is better.
        reference: Reference value for the hypervolume; by default 0.10 for forget accuracy and confidence, 0.10 or
            the original model's value if larger for the forget gap, the original model's value minus 0.10 for retain
            accuracy, 1 (a mask) for `probe_left`, and the original model's value otherwise.
    """

    metric: str
    direction: Literal["minimize", "maximize"]
    reference: float | None = None

    @field_validator("metric")
    @classmethod
    def _known_and_honest(cls, metric: str) -> str:
        return _validation_metric(metric)

    def sign(self) -> int:
        """1 where smaller is better, -1 where larger is."""
        return 1 if self.direction == "minimize" else -1


class Constraint(Settings):
    """A limit that trials on the front must satisfy, such as "retain accuracy at least 0.78" or "at most 60 s".

    Attributes:
        metric: Name of a validation metric, or `elapsed_s`: seconds per unlearning run.
        at_least: Lowest value allowed.
        at_most: Highest value allowed.
    """

    metric: str
    at_least: float | None = None
    at_most: float | None = None

    @field_validator("metric")
    @classmethod
    def _known_and_honest(cls, metric: str) -> str:
        return metric if metric == ELAPSED else _validation_metric(metric)

    @model_validator(mode="after")
    def _one_limit(self) -> "Constraint":
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("must have `at_least` or `at_most`, and not both")
        return self

    def __str__(self) -> str:
        """The limit in words."""
        return f"{self.metric} {'>=' if self.at_least is not None else '<='} {self._limit():g}"

    def violation(self, metrics: Mapping[str, float]) -> float:
        """By how much figures break the limit, in the metric's unit; at most 0 if they keep it.

        Raises:
            KeyError: If the metric is missing.
        """
        excess = metrics[self.metric] - self._limit()
        return -excess if self.at_least is not None else excess

    def _limit(self) -> float:
        return self.at_least if self.at_least is not None else self.at_most or 0.0


def default_objectives(forget: Sequence[ForgetRequest], families: Sequence[str]) -> tuple[Objective, ...]:
    """Forgetting against keeping, and for classes how deeply.

    Args:
        forget: Classes are forgotten to an accuracy of zero, samples to that of unseen images.
        families: What finished models are measured by; depth needs `probe` and `mask`.
    """
    by_samples = any(request.by_samples for request in forget)
    gone = "forget_gap" if by_samples else "forget_accuracy"
    objectives = (
        Objective(metric=f"validation/{gone}", direction="minimize"),
        Objective(metric=RETAIN, direction="maximize"),
    )
    if by_samples or not {"probe", "mask"} <= set(families):
        return objectives
    return (*objectives, Objective(metric=DEPTH, direction="minimize"))


def minimised_point(values: Sequence[float], objectives: Sequence[Objective]) -> tuple[float, ...]:
    """Values signed so that smaller is better."""
    return tuple(objective.sign() * value for objective, value in zip(objectives, values, strict=True))


def unusable(metrics: Mapping[str, float], needed: Sequence[str]) -> list[str]:
    """What of the needed metrics is missing or not finite, in words."""
    return [
        f"{name} is {metrics.get(name, 'missing')}"
        for name in dict.fromkeys(needed)
        if not math.isfinite(metrics.get(name, math.nan))
    ]
