"""Which metrics are computed, how, and the computing."""

import math
from collections import Counter
from collections.abc import Iterable

from pydantic import field_validator, model_validator

from antisample.errors import ConfigError, DivergedError
from antisample.metrics.base import (
    EvaluationSettings,
    EvaluationSubject,
    image_counts,
)
from antisample.metrics.earlier import earlier_counts
from antisample.metrics.families import PARTS, family_names, family_of, in_order, needing_reference, optional_family
from antisample.types import Dataset, SplitName, Splits, UnlearnMetrics
from antisample.validation.spelling import did_you_mean


class EvaluationConfig(EvaluationSettings):
    """How metrics are computed, and which.

    Attributes:
        final: Metric families to compute once, for the finished model; `classification` is always computed after
            every epoch. By default, `membership` and `probe` are skipped if there are too few images for them, and
            `probe` and `mask` for samples; families that are requested explicitly are required. `retrained`,
            `reference_similarity` and `rmia` train references once per forget request; `relearn` and `relearn_steps`
            also train.
    """

    final: tuple[str, ...] = ("membership", "zrf", "probe", "mask")

    @field_validator("final")
    @classmethod
    def _known(cls, final: tuple[str, ...]) -> tuple[str, ...]:
        metrics: Counter[str] = Counter()
        for name in dict.fromkeys(final):
            try:
                family = optional_family(name)
            except ConfigError as error:
                raise ValueError(error.problems[0].removeprefix("`evaluation.final` ").rstrip(".")) from error
            if family is None:
                optional = [each for each in family_names() if each != "classification"]
                meant = did_you_mean(name, optional)
                raise ValueError(
                    f"families must be among {', '.join(optional)}, but got {name!r}{meant and '.' + meant}"
                )
            metrics.update(family.names)
        twice = [name for name, count in metrics.items() if count > 1]
        if twice:
            raise ValueError(f"families must not compute the same metric, but {twice[0]} is computed twice")
        return in_order(final)

    @model_validator(mode="after")
    def _references_are_compared_with(self) -> "EvaluationConfig":
        if self.reference_seeds > 1 and not needing_reference(self.final):
            raise ValueError(
                "must name a family in `final` that compares with retrained references, such as `retrained`, if "
                f"`reference_seeds` is {self.reference_seeds}, but got {', '.join(self.final) or 'no family'}"
            )
        return self


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
        for family in map(family_of, families):
            if part in family.parts:
                computed = {f"{part}/{name}": value for name, value in family.compute(subject, part).items()}
                bad = [f"{name} is {value}" for name, value in computed.items() if not math.isfinite(value)]
                if bad:
                    raise DivergedError(f"The model's outputs are not finite: {', '.join(bad)}.")
                values |= computed
    return UnlearnMetrics(values, all_counts(subject.dataset, subject.splits, subject.settings, parts))


def all_counts(
    dataset: Dataset, splits: Splits, settings: EvaluationSettings, parts: Iterable[SplitName]
) -> dict[str, int]:
    """Like `image_counts`, with `<part>/earlier` where the model has forgotten something before."""
    parts = tuple(parts)
    counts = image_counts(dataset, splits, settings, parts)
    if splits.earlier:
        counts |= {f"{part}/earlier": earlier_counts(dataset, splits, part) for part in parts if part != "train"}
    return counts
