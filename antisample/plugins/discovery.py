"""Which plug-ins the installed packages declare. Only metadata is read here; nothing is imported."""

import logging
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Literal

from antisample.errors import in_one_line

PluginKind = Literal["method", "metric", "dataset", "sampler"]

GROUPS: dict[PluginKind, str] = {
    "method": "antisample.methods",
    "metric": "antisample.metrics",
    "dataset": "antisample.datasets",
    "sampler": "antisample.samplers",
}
"""The group of entry points that each kind is declared in."""

LABELS: dict[PluginKind, str] = {
    "method": "method",
    "metric": "metric family",
    "dataset": "data set",
    "sampler": "sampler",
}
"""What messages call each kind."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plugin:
    """A plug-in as it is declared, and as studies and cards record it.

    Attributes:
        kind: What it adds.
        name: What users call it.
        distribution: Name of the package that declares it.
        version: Version of that package.
    """

    kind: PluginKind
    name: str
    distribution: str
    version: str

    @property
    def package(self) -> str:
        """Name and version of the package."""
        return f"{self.distribution} {self.version}"

    def describe(self) -> str:
        """For people: the method 'x' of x-package 1.0."""
        return f"the {LABELS[self.kind]} {self.name!r} of {self.package}"


@dataclass(frozen=True)
class DeclaredPlugin:
    """A plug-in with the entry point that imports it."""

    plugin: Plugin
    entry_point: EntryPoint


@cache
def declared_plugins(kind: PluginKind) -> tuple[DeclaredPlugin, ...]:
    """The plug-ins of one kind that installed packages declare, by name; looked up once per process.

    Returns:
        Everything declared, even if two packages declare the same name.
    """
    declared = [
        DeclaredPlugin(_plugin(kind, entry_point), entry_point)
        for entry_point in _entry_points()
        if entry_point.group == GROUPS[kind]
    ]
    return tuple(sorted(declared, key=lambda each: (each.plugin.name, each.plugin.distribution)))


@cache
def _entry_points() -> tuple[EntryPoint, ...]:
    """The entry points of all of our groups; the metadata of all installed packages is searched once for them."""
    try:
        return tuple(each for group in GROUPS.values() for each in entry_points(group=group))
    except Exception as error:  # metadata of any installed package, in whatever state it is
        _logger.warning("No plug-ins: the installed packages cannot be listed (%s).", in_one_line(error))
        return ()


def _plugin(kind: PluginKind, entry_point: EntryPoint) -> Plugin:
    metadata = entry_point.dist.metadata if entry_point.dist is not None else None
    distribution, version = (
        metadata[field] if metadata is not None and field in metadata else f"(no {field.lower()})"
        for field in ("Name", "Version")
    )
    return Plugin(kind, entry_point.name, distribution, version)


def rediscover() -> None:
    """Forgets what was found, for a process in which a package has been installed or removed."""
    _entry_points.cache_clear()
    declared_plugins.cache_clear()
