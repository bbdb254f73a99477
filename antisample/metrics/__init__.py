"""Metrics of a model on one part of the data. docs/metrics.md defines each.

Adding a family is a file beside this one with a class that fits `MetricFamily`, and a line in `_FAMILIES`.
"""

import math
from collections.abc import Iterable

from pydantic import field_validator

from antisample.errors import ConfigError, DivergedError
from antisample.metrics.base import (
    EVAL_BATCH_SIZE,
    EvaluationSettings,
    EvaluationSubject,
    MetricFamily,
    RetrainedReference,
    image_counts,
    part_positions,
)
from antisample.metrics.classification import Classification, summarise
from antisample.metrics.membership import Membership
from antisample.metrics.relearn import Relearn
from antisample.metrics.retrained import Retrained
from antisample.metrics.zrf import Zrf
from antisample.models.predictions import Predictions, predict
from antisample.types import Dataset, SplitName, Splits, UnlearnMetrics

PARTS: tuple[SplitName, ...] = ("validation", "train", "test")

_FAMILIES: dict[str, MetricFamily] = {
    "classification": Classification(),
    "membership": Membership(),
    "zrf": Zrf(),
    "retrained": Retrained(),
    "relearn": Relearn(),
}


def family_names() -> tuple[str, ...]:
    """The registered families."""
    return tuple(_FAMILIES)


class EvaluationConfig(EvaluationSettings):
    """How metrics are computed, and which.

    Attributes:
        final: Metric families to compute once, for the finished model; `classification` is always computed after
            every epoch. By default, `membership` is skipped if there are too few images for it; families that are
            requested explicitly are required. `retrained` trains a reference once per forget request; `relearn` also
            trains.
    """

    final: tuple[str, ...] = ("membership", "zrf")

    @field_validator("final")
    @classmethod
    def _known(cls, final: tuple[str, ...]) -> tuple[str, ...]:
        optional = [name for name in _FAMILIES if name != "classification"]
        for name in final:
            if name not in optional:
                raise ValueError(f"families must be among {', '.join(optional)}, but got {name!r}")
        return tuple(name for name in optional if name in final)


def metric_names(families: Iterable[str] | None = None) -> tuple[str, ...]:
    """Full names, `<part>/<metric>`, of what some families (by default all) compute."""
    chosen = _FAMILIES if families is None else families
    return tuple(
        f"{part}/{name}"
        for part in PARTS
        for family in (_FAMILIES[name] for name in chosen)
        if part in family.parts
        for name in family.names
    )


def left_out_families(families: Iterable[str], dataset: Dataset, splits: Splits) -> dict[str, str]:
    """Finds families that cannot be computed on this data, before any work is done.

    Families that were asked for are needed; of the default ones, those that the data are too few for are left out.

    Args:
        families: Of `EvaluationConfig.final`; if they are those that it has by default, nobody asked for them.
        dataset: The data.
        splits: What is to be forgotten, and on what it is judged.

    Returns:
        What is left out, and why, in a sentence.

    Raises:
        ConfigError: With every reason why families that were asked for cannot be computed.
    """
    families = tuple(families)
    problems = {name: _FAMILIES[name].problems(dataset, splits) for name in families}
    if families == EvaluationConfig().final:
        return {
            name: f"The metrics {', '.join(_FAMILIES[name].names)} are skipped. {'. '.join(reasons)}."
            for name, reasons in problems.items()
            if reasons
        }
    told = [
        f"{reason}; remove `{name}` from `evaluation.final`."
        for name, reasons in problems.items()
        for reason in reasons
    ]
    if told:
        raise ConfigError(told)
    return {}


def evaluate(
    subject: EvaluationSubject, parts: Iterable[SplitName] = PARTS, families: Iterable[str] = ("classification",)
) -> UnlearnMetrics:
    """Measures a model.

    Args:
        subject: The model with its data; left as it is.
        parts: `validation` for every decision, `train` and `test` for reporting.
        families: What to compute; each on those of `parts` that it is defined on.

    Returns:
        Values by `<part>/<metric>` and image counts by `<part>/forget` and `<part>/retain`.

    Raises:
        DivergedError: If a value is not finite.
    """
    values: dict[str, float] = {}
    parts, families = tuple(parts), tuple(families)
    for part in parts:
        for family in (_FAMILIES[name] for name in families):
            if part in family.parts:
                found = {f"{part}/{name}": value for name, value in family.compute(subject, part).items()}
                bad = [f"{name} is {value}" for name, value in found.items() if not math.isfinite(value)]
                if bad:
                    raise DivergedError(f"The model's outputs are not finite: {', '.join(bad)}.")
                values |= found
    return UnlearnMetrics(values, image_counts(subject.dataset, subject.splits, subject.settings, parts))


__all__ = [
    "EVAL_BATCH_SIZE",
    "EvaluationConfig",
    "EvaluationSettings",
    "MetricFamily",
    "Predictions",
    "RetrainedReference",
    "EvaluationSubject",
    "left_out_families",
    "evaluate",
    "family_names",
    "image_counts",
    "metric_names",
    "part_positions",
    "predict",
    "summarise",
]
