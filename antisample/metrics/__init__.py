"""Metrics of a model on one part of the data. docs/metrics.md defines each.

A new family is a file beside this one with a class that fits `MetricFamily`, and a line in `_FAMILIES`, or an entry
point `antisample.metrics` of another package.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import field_validator, model_validator

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
from antisample.metrics.earlier import Earlier, EarlierProbe, earlier_counts
from antisample.metrics.mask import Mask
from antisample.metrics.membership import Membership
from antisample.metrics.mia_efficacy import MiaEfficacy
from antisample.metrics.probe import Probe
from antisample.metrics.probe_anchors import ProbeAnchors
from antisample.metrics.relearn import Relearn
from antisample.metrics.relearn_steps import RelearnSteps
from antisample.metrics.retrained import Retrained
from antisample.metrics.rmia import Rmia
from antisample.metrics.similarity import ReferenceSimilarity, Similarity
from antisample.metrics.zrf import Zrf
from antisample.models.predictions import Predictions, predict
from antisample.plugins.discovery import Plugin
from antisample.plugins.registry import PluginRegistry
from antisample.types import Dataset, SplitName, Splits, UnlearnMetrics
from antisample.validation.spelling import did_you_mean

PARTS: tuple[SplitName, ...] = ("validation", "train", "test")

_FAMILIES: dict[str, MetricFamily] = {
    "classification": Classification(),
    "membership": Membership(),
    "zrf": Zrf(),
    "probe": Probe(),
    "retrained": Retrained(),
    "relearn": Relearn(),
    "mask": Mask(),
    "relearn_steps": RelearnSteps(),
    "similarity": Similarity(),
    "reference_similarity": ReferenceSimilarity(),
    "mia_efficacy": MiaEfficacy(),
    "rmia": Rmia(),
    "earlier": Earlier(),
    "earlier_probe": EarlierProbe(),
}

EARLIER_FAMILIES = ("earlier", "earlier_probe")
"""Computed wherever a model has forgotten something before and the data still holds it, without being asked for."""


_EARLIER_DEFAULTS = (("membership", "zrf"),)
_FOR_CLASSES_ALONE = ("probe", "mask")


def _accepted(name: str, plugin: Any) -> MetricFamily:
    """What an entry point names as a metric family, if it is one: a class without arguments, or an instance."""
    del name
    family: Any = plugin() if isinstance(plugin, type) else plugin
    for attribute in ("problems", "compute"):
        if not callable(getattr(family, attribute, None)):
            raise ConfigError(f"it must have a method `{attribute}`")
    names, parts = getattr(family, "names", ()), getattr(family, "parts", ())
    if not (isinstance(names, tuple) and names and all(isinstance(each, str) and each for each in names)):
        raise ConfigError("its `names` must be a tuple of at least one name")
    if not (isinstance(parts, tuple) and parts and set(parts) <= set(get_args(SplitName))):
        raise ConfigError(f"its `parts` must be a tuple of {', '.join(get_args(SplitName))}, but got {parts!r}")
    for own, other in _FAMILIES.items():
        taken = sorted(set(other.names) & set(names))
        if taken:
            raise ConfigError(f"it computes {', '.join(taken)}, as {own!r} of antisample does")
    return family  # type: ignore[no-any-return]


_REGISTRY = PluginRegistry("metric", "evaluation.final", _FAMILIES, _accepted)


def family_names() -> tuple[str, ...]:
    """The registered families, those of plug-ins included."""
    return _REGISTRY.names()


def family_plugin(name: str) -> Plugin | None:
    """The plug-in that a family comes from; None for antisample's own."""
    return _REGISTRY.plugin(name)


def _family(name: str) -> MetricFamily:
    family = _REGISTRY.find(name)
    if family is None:
        raise ConfigError(f"Metric families must be among {', '.join(family_names())}, but got {name!r}.")
    return family


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
                family = _REGISTRY.find(name) if name != "classification" else None
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
        own = list(_FAMILIES)
        return tuple(sorted(set(final), key=lambda name: (own.index(name) if name in own else len(own), name)))

    @model_validator(mode="after")
    def _references_are_compared_with(self) -> "EvaluationConfig":
        if self.reference_seeds > 1 and not needing_reference(self.final):
            raise ValueError(
                "must name a family in `final` that compares with retrained references, such as `retrained`, if "
                f"`reference_seeds` is {self.reference_seeds}, but got {', '.join(self.final) or 'no family'}"
            )
        return self


def metric_names(families: Iterable[str] | None = None) -> tuple[str, ...]:
    """Full names, `<part>/<metric>`, of what some families (by default all) compute."""
    chosen = family_names() if families is None else families
    return tuple(
        f"{part}/{name}"
        for part in PARTS
        for family in map(_family, chosen)
        if part in family.parts
        for name in family.names
    )


def needing_stages(families: Iterable[str]) -> tuple[str, ...]:
    """Those of some families that read the stages of the network."""
    return tuple(name for name in families if getattr(_family(name), "needs_stages", False))


def needing_reference(families: Iterable[str]) -> tuple[str, ...]:
    """Those of some families that compare with a retrained reference."""
    return tuple(name for name in families if getattr(_family(name), "needs_reference", False))


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
    problems = {name: _family(name).problems(dataset, splits) for name in families}
    if is_default(families):
        return {name: skipped(name, ". ".join(reasons)) for name, reasons in problems.items() if reasons}
    told = [
        f"{reason}; remove `{name}` from `evaluation.final`."
        for name, reasons in problems.items()
        for reason in reasons
    ]
    if told:
        raise ConfigError(told)
    return {}


def unmeasured_earlier(families: Iterable[str], dataset: Dataset, splits: Splits) -> dict[str, str]:
    """Which of `EARLIER_FAMILIES` cannot be computed though the model has forgotten something before, and why.

    Args:
        families: Of `EvaluationConfig.final`; those that it names are required, and the probe is left to whoever asks
            for probes at all.
        dataset: The data.
        splits: Of the request.
    """
    families = tuple(families)
    problems = {name: _family(name).problems(dataset, splits) for name in EARLIER_FAMILIES if name not in families}
    if not splits.earlier:
        return {}
    told = {name: skipped(name, ". ".join(reasons)) for name, reasons in problems.items() if reasons}
    if "probe" not in families:
        told.setdefault("earlier_probe", skipped("earlier_probe", "`evaluation.final` does not name `probe`"))
    return told


def is_default(families: tuple[str, ...]) -> bool:
    """Whether nobody asked for these families: they are those of the default, of today or of an earlier version."""
    return families in (EvaluationConfig().final, *_EARLIER_DEFAULTS)


def skipped(name: str, reason: str) -> str:
    """Says that a family is left out, and why; the reason comes without its full stop."""
    return f"The metrics {', '.join(_family(name).names)} are skipped. {reason}."


def left_out_notes(left_out: Mapping[str, str], splits: Splits) -> tuple[str, ...]:
    """What people should know of families that are left out: not that what is made for classes is for no samples."""
    silent = _FOR_CLASSES_ALONE if splits.by_samples else ()
    return tuple(reason for name, reason in left_out.items() if name not in silent)


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
        for family in map(_family, families):
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


__all__ = [
    "EARLIER_FAMILIES",
    "EVAL_BATCH_SIZE",
    "EvaluationConfig",
    "EvaluationSettings",
    "MetricFamily",
    "ProbeAnchors",
    "Predictions",
    "RetrainedReference",
    "EvaluationSubject",
    "left_out_families",
    "all_counts",
    "unmeasured_earlier",
    "evaluate",
    "family_names",
    "family_plugin",
    "image_counts",
    "is_default",
    "left_out_notes",
    "needing_reference",
    "needing_stages",
    "skipped",
    "metric_names",
    "part_positions",
    "predict",
    "summarise",
]
