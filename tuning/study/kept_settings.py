"""What a study was begun with where its configuration does not say: this version may have other defaults by now."""

from collections.abc import Mapping
from typing import Any

from search_spaces import earlier_space, space_names
from tuning.config.loading import parse_study, read_values, values_of
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan
from tuning.study.attributes import SETTINGS
from tuning.study.storage.backends import kept_note

_DECIDED = {"objectives", "constraints", "evaluation", "memory"}
"""What the first search decides where its configuration does not say."""


def parse_kept(values: Mapping[str, Any], source: str) -> StudyConfig:
    """Reads the settings that a study keeps, in its directory or in a database.

    Earlier versions kept `space: null` for the method's own space, and knew neither recipes, memory nor finalists.

    Args:
        values: What is kept.
        source: Where it comes from, for messages.

    Raises:
        ConfigError: With every problem found.
    """
    filled = dict(values)
    method = values.get("method", StudyConfig.model_fields["method"].default)
    if filled.get("space") is None and isinstance(method, str) and earlier_space(method) in space_names():
        filled["space"] = earlier_space(method)
    if filled.get("recipes") is None:
        filled["recipes"] = []
    filled.setdefault("memory", "none")
    selection = filled.get("selection", {})
    if isinstance(selection, dict) and "finalists" not in selection:  # it chose by the figures of its search
        filled["selection"] = {**selection, "finalists": 0}
    study = parse_study(filled, source)
    return study if study.recipes else study.model_copy(update={"recipes": ()})


def has_begun(config: StudyConfig) -> bool:
    """Whether a study is kept where this one would be."""
    return _kept(config) is not None


def as_begun(config: StudyConfig) -> StudyConfig:
    """A study with its space, recipes and objectives spelled out: those that it was begun with, if it was.

    Whoever runs a study file again, to continue the study, need not know what was the default when it was begun.

    Args:
        config: As the user wrote it; what is said there stays.

    Raises:
        ConfigError: If what is kept cannot be read, or does not go together with the rest.
        DataError: If the database cannot be used.
    """
    unsaid = _DECIDED - config.model_fields_set
    says_space = config.space is not None and "space" in config.model_fields_set
    if says_space and isinstance(config.recipes, tuple) and not unsaid:
        return config
    kept = _kept(config)
    changes: dict[str, Any] = {}
    if kept is not None and kept.method == config.method:
        if not says_space:
            changes["space"] = kept.space
        if config.recipes is None or (config.recipes is True and kept.recipes):
            changes["recipes"] = kept.recipes
        if kept.by_samples == config.by_samples:
            changes |= {name: getattr(kept, name) for name in unsaid}
    if kept is not None and "finalists" not in config.selection.model_fields_set:
        changes["selection"] = config.selection.model_copy(update={"finalists": kept.selection.finalists})
    config = config.model_copy(update=changes)
    plan = TrialPlan.of(config)
    return config.model_copy(
        update={
            "space": config.space or config.method,
            "recipes": plan.recipes,
            **{name: getattr(config, name) for name in unsaid},  # from now on they are said
        }
    )


def _kept(config: StudyConfig) -> StudyConfig | None:
    """The settings of the study that a configuration would continue; None if there is none."""
    path = config.directory / "study.yaml"
    if path.is_file():
        return parse_kept(read_values(path, inside=config.directory), str(path))
    settings = kept_note(config, SETTINGS.key) if config.storage is not None else None
    if settings is None or SETTINGS.problem(settings) is not None:
        return None
    return parse_kept(values_of(settings, "the database"), "the database")
