"""The plug-ins that a study uses: noted in it, and needed wherever it goes on."""

from collections.abc import Iterable
from dataclasses import asdict

from antisample.config import plugins_used
from antisample.plugins.discovery import Plugin
from antisample.plugins.requirements import changed_versions, check_plugins
from tuning.config.study import StudyConfig
from tuning.strategies.samplers import sampler_plugin
from tuning.study.reader import PLUGINS, StudyReader
from tuning.study.study import Study


def study_plugins(config: StudyConfig) -> tuple[Plugin, ...]:
    """The plug-ins that a study names: of its trials, and its sampler."""
    sampler = sampler_plugin(config.sampler)
    return (*trial_plugins(config), *((sampler,) if sampler is not None else ()))


def trial_plugins(config: StudyConfig) -> tuple[Plugin, ...]:
    """The plug-ins that a trial needs, on whatever machine it runs."""
    return plugins_used(config.method, config.evaluation, config.data)


def note_plugins(study: Study) -> None:
    """Notes in a study which plug-ins it uses, in the versions of this machine; nothing where it never used any."""
    plugins = [asdict(plugin) for plugin in study_plugins(study.config)]
    if plugins != study.noted(PLUGINS, []):
        study.note(PLUGINS, plugins)


def noted_plugins(study: StudyReader) -> tuple[Plugin, ...]:
    """The plug-ins that a study used when it last ran."""
    return tuple(Plugin(**plugin) for plugin in study.noted(PLUGINS, []))


def check_noted_plugins(
    study: StudyReader, kinds: Iterable[str] = ("method", "metric", "dataset", "sampler")
) -> list[str]:
    """Makes sure that the plug-ins of a study are installed on this machine.

    Args:
        study: The study.
        kinds: Which kinds are needed for what is going to be done.

    Returns:
        What is to be said of packages whose version is another one than before.

    Raises:
        ConfigError: With the name and version of each package that is missing.
    """
    plugins = [plugin for plugin in noted_plugins(study) if plugin.kind in kinds]
    check_plugins(plugins, f"The study {study.config.directory}")
    return [f"Another version of a plug-in: {change}" for change in changed_versions(plugins)]
