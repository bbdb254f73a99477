"""The metric families by name: antisample's own, and those of plug-ins."""

from collections.abc import Iterable
from typing import Any, get_args

from antisample.errors import ConfigError
from antisample.metrics.base import (
    MetricFamily,
)
from antisample.metrics.classification import Classification
from antisample.metrics.earlier import Earlier, EarlierProbe
from antisample.metrics.mask import Mask
from antisample.metrics.membership import Membership
from antisample.metrics.mia_efficacy import MiaEfficacy
from antisample.metrics.probe import Probe
from antisample.metrics.relearn import Relearn
from antisample.metrics.relearn_steps import RelearnSteps
from antisample.metrics.retrained import Retrained
from antisample.metrics.rmia import Rmia
from antisample.metrics.similarity import ReferenceSimilarity, Similarity
from antisample.metrics.zrf import Zrf
from antisample.plugins.discovery import Plugin
from antisample.plugins.registry import PluginRegistry
from antisample.types import SplitName

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


def family_of(name: str) -> MetricFamily:
    """The family of a name.

    Raises:
        ConfigError: If there is none.
    """
    family = _REGISTRY.find(name)
    if family is None:
        raise ConfigError(f"Metric families must be among {', '.join(family_names())}, but got {name!r}.")
    return family


def metric_names(families: Iterable[str] | None = None) -> tuple[str, ...]:
    """Full names, `<part>/<metric>`, of what some families (by default all) compute."""
    chosen = family_names() if families is None else families
    return tuple(
        f"{part}/{name}"
        for part in PARTS
        for family in map(family_of, chosen)
        if part in family.parts
        for name in family.names
    )


def needing_stages(families: Iterable[str]) -> tuple[str, ...]:
    """Those of some families that read the stages of the network."""
    return tuple(name for name in families if getattr(family_of(name), "needs_stages", False))


def needing_reference(families: Iterable[str]) -> tuple[str, ...]:
    """Those of some families that compare with a retrained reference."""
    return tuple(name for name in families if getattr(family_of(name), "needs_reference", False))


def optional_family(name: str) -> MetricFamily | None:
    """A family that may be asked for; None if there is none of the name.

    Raises:
        ConfigError: If a plug-in of the name cannot be used.
    """
    return _REGISTRY.find(name) if name != "classification" else None


def in_order(families: Iterable[str]) -> tuple[str, ...]:
    """Each once: antisample's own in the order in which they are documented, then others by name."""
    own = list(_FAMILIES)
    return tuple(sorted(set(families), key=lambda name: (own.index(name) if name in own else len(own), name)))
