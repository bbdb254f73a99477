"""Names and what they stand for: antisample's own, and those of plug-ins."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from antisample.errors import ConfigError, in_one_line
from antisample.plugins.discovery import LABELS, DeclaredPlugin, Plugin, PluginKind, declared_plugins

T = TypeVar("T")
_logger = logging.getLogger(__name__)


class PluginRegistry(Generic[T]):
    """Looks up names, first among antisample's own, then among the plug-ins of installed packages.

    Packages are searched at the first look-up, and a plug-in is imported when its name is asked for or all names are
    listed. One that cannot be used is left out of the list with a warning; asking for it raises the reason.

    Args:
        kind: What is registered.
        key: The key of the configuration that holds the name, for messages.
        own: Antisample's own, which no plug-in can replace.
        accept: Turns what an entry point names into what is registered; raises ConfigError with the reason, in words
            that follow a colon, if it is something else.
        spelling: Names that it maps to the same text are the same name.
    """

    def __init__(
        self,
        kind: PluginKind,
        key: str,
        own: Mapping[str, T],
        accept: Callable[[str, Any], T],
        spelling: Callable[[str], str] = str,
    ) -> None:
        self._kind, self._key, self._own, self._accept, self._spelling = kind, key, own, accept, spelling
        self._declared: tuple[DeclaredPlugin, ...] | None = None
        self._by_name: dict[str, list[DeclaredPlugin]] = {}
        self._usable: dict[str, T] = {}
        self._problems: dict[str, str] = {}
        self._skipped: set[str] = set()

    def names(self) -> tuple[str, ...]:
        """Every name that can be used: antisample's own in their order, then those of plug-ins."""
        names = list(self._own)
        for declared in self._plugins().values():
            plugin = declared[0].plugin
            try:
                self._load(declared)
            except ConfigError:
                if plugin.name not in self._skipped:
                    _logger.warning("Skipping %s: %s.", plugin.describe(), self._problems[plugin.name])
                self._skipped.add(plugin.name)
            else:
                names.append(plugin.name)
        return tuple(names)

    def canonical(self, name: str) -> str | None:
        """A name as it is registered; None if nobody has it. Nothing is imported."""
        spelled = self._spelling(name)
        plugins = self._plugins()
        own = next((each for each in self._own if self._spelling(each) == spelled), None)
        return own if own is not None or spelled not in plugins else plugins[spelled][0].plugin.name

    def find(self, name: str) -> T | None:
        """What a name stands for; None if nobody has it.

        Raises:
            ConfigError: If it is a plug-in that cannot be used, or several packages declare it.
        """
        registered = self.canonical(name)
        if registered is None or registered in self._own:
            return self._own.get(registered or "")
        return self._load(self._plugins()[self._spelling(name)])

    def plugin(self, name: str) -> Plugin | None:
        """The plug-in that a name stands for; None if it is antisample's own, or nobody's."""
        registered = self.canonical(name)
        if registered is None or registered in self._own:
            return None
        return self._plugins()[self._spelling(name)][0].plugin

    def _plugins(self) -> dict[str, list[DeclaredPlugin]]:
        """The plug-ins by spelling, without those that are called as something of antisample's own."""
        declared = declared_plugins(self._kind)
        if declared is not self._declared:
            self._declared, self._by_name, self._usable, self._problems = declared, {}, {}, {}
            self._skipped = set()
            own = {self._spelling(name): name for name in self._own}
            for each in declared:
                spelled = self._spelling(each.plugin.name)
                if spelled in own:
                    _logger.warning(
                        "Ignoring %s: antisample has a %s of that name itself, which cannot be replaced.",
                        each.plugin.describe(),
                        LABELS[self._kind],
                    )
                else:
                    self._by_name.setdefault(spelled, []).append(each)
        return self._by_name

    def _load(self, declared: list[DeclaredPlugin]) -> T:
        plugin, entry_point = declared[0].plugin, declared[0].entry_point
        name = plugin.name
        if name in self._usable:
            return self._usable[name]
        if name not in self._problems:
            try:
                if len(declared) > 1:
                    packages = " and ".join(each.plugin.package for each in declared)
                    raise ConfigError(f"{packages} declare the same name; uninstall one of them")
                self._usable[name] = self._accept(name, entry_point.load())
                return self._usable[name]
            except (Exception, SystemExit) as error:  # whatever a module of somebody else's may raise
                reason = str(error) if isinstance(error, ConfigError) else in_one_line(error)
            self._problems[name] = reason.rstrip(".")
        raise ConfigError(f"`{self._key}` {name!r} of {plugin.package} cannot be used: {self._problems[name]}.")
