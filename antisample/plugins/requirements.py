"""Whether the plug-ins that a study or a card was made with are installed here."""

import re
from collections.abc import Iterable

from antisample.errors import ConfigError
from antisample.plugins.discovery import LABELS, Plugin, declared_plugins


def check_plugins(needed: Iterable[Plugin], who: str, *, same_version: bool = False) -> None:
    """Makes sure that plug-ins are installed; nothing is imported.

    Args:
        needed: What was recorded.
        who: What needs them, as the subject of the message.
        same_version: Whether another version of a package is refused, too.

    Raises:
        ConfigError: With a sentence per package that is missing: its name, its version, and what it provides.
    """
    by_package: dict[tuple[str, str], list[str]] = {}
    for plugin in needed:
        here = installed_plugin(plugin)
        if here is None:
            state = "is not installed"
        elif same_version and here.version != plugin.version:
            state = f"is installed as {here.version}"
        else:
            continue
        by_package.setdefault((plugin.package, state), []).append(f"{LABELS[plugin.kind]} {plugin.name!r}")
    if by_package:
        raise ConfigError(
            [
                f"{who} needs the package {package} ({', '.join(provided)}), which {state} here."
                for (package, state), provided in by_package.items()
            ]
        )


def installed_plugin(plugin: Plugin) -> Plugin | None:
    """The same plug-in of the same package as it is installed here, in whatever version; None if it is not."""
    return next(
        (
            each.plugin
            for each in declared_plugins(plugin.kind)
            if each.plugin.name == plugin.name and _same_package(each.plugin.distribution, plugin.distribution)
        ),
        None,
    )


def changed_versions(needed: Iterable[Plugin]) -> list[str]:
    """A sentence per package whose version here is not the one recorded; packages that are missing are left out."""
    pairs = {
        plugin.package: here.version
        for plugin in needed
        if (here := installed_plugin(plugin)) is not None and here.version != plugin.version
    }
    return [f"{package} was used before, and {version} is installed now" for package, version in pairs.items()]


def _same_package(one: str, other: str) -> bool:
    """Whether two names are the same to package installers: any case, and hyphens, dots and underscores alike."""
    return re.sub(r"[-_.]+", "-", one).lower() == re.sub(r"[-_.]+", "-", other).lower()
