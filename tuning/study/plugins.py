"""The plug-ins that a study uses: noted in it, and needed wherever it goes on."""

from collections.abc import Collection

from antisample.plugins.discovery import Plugin, PluginKind
from antisample.plugins.requirements import changed_versions, check_plugins
from tuning.config.trial_plan import TrialPlan
from tuning.strategies.samplers import sampler_plugin
from tuning.study.attributes import PLUGINS, UsedPlugin
from tuning.study.reader import StudyReader
from tuning.study.study import Study


def study_plugins(plan: TrialPlan) -> tuple[Plugin, ...]:
    """The plug-ins that a study names: those of its trials, and its sampler."""
    sampler = sampler_plugin(plan.config.sampler)
    return plan.plugins if sampler is None else (*plan.plugins, sampler)


def note_plugins(study: Study) -> None:
    """Notes in a study which plug-ins it uses, in the versions of this machine; nothing where it never used any."""
    plugins: list[UsedPlugin] = [
        {"kind": each.kind, "name": each.name, "distribution": each.distribution, "version": each.version}
        for each in study_plugins(study.plan)
    ]
    if plugins != study.noted(PLUGINS, []):
        study.note(PLUGINS, plugins)


def noted_plugins(study: StudyReader) -> tuple[Plugin, ...]:
    """The plug-ins that a study used when it last ran."""
    return tuple(Plugin(**plugin) for plugin in study.noted(PLUGINS, []))


def check_noted_plugins(study: StudyReader, unneeded: Collection[PluginKind] = ()) -> list[str]:
    """Makes sure that the plug-ins of a study are installed on this machine.

    Args:
        study: The study.
        unneeded: Which kinds are not needed for what is going to be done.

    Returns:
        What is to be said of packages whose version is another one than before.

    Raises:
        ConfigError: With the name and version of each package that is missing.
    """
    plugins = [plugin for plugin in noted_plugins(study) if plugin.kind not in unneeded]
    check_plugins(plugins, f"The study {study.config.directory}")
    return [f"Another version of a plug-in: {change}" for change in changed_versions(plugins)]
