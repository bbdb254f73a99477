"""Which settings of a study may change when it goes on."""

from collections.abc import Sequence

from antisample.errors import ConfigError
from tuning.config.study import StudyConfig

BY_SET = (
    "n_trials",
    "time_budget_min",
    "budget",
    "max_failures",
    "max_retries",
    "confirm_seeds",
    "resources",
    "selection",
    "storage_path",
    "log_model",
)
"""What `resume --set` changes: how long, on what, where to and what is chosen, never what is searched."""

MAY_CHANGE = {
    *BY_SET,
    "name",  # with the folder
    "runs_dir",
    "tracking_uri",
    "storage",  # the study there must be the same one: see `open_optuna_study`
    "study_name",
}

_OTHERWISE = {
    "storage": "use `--storage`",
    "tracking_uri": "use `--tracking-uri`",
    "name": "rename the study's folder",
    "runs_dir": "move the study's folder",
    "model": "use `--accept-original` for its `accept_original`",
}


def check_changes(overrides: Sequence[str]) -> None:
    """Makes sure that what `resume --set` says may change; keys that do not exist are left to the configuration.

    Args:
        overrides: `key=value`, the key dotted.

    Raises:
        ConfigError: With a sentence for each setting that may not.
    """
    keys = [override.partition("=")[0].strip().partition(".")[0] for override in overrides]
    refused = [key for key in dict.fromkeys(keys) if key in StudyConfig.model_fields and key not in BY_SET]
    if refused:
        allowed = f"{', '.join(BY_SET[:-1])} and {BY_SET[-1]}"
        raise ConfigError(
            [
                *(f"`--set` cannot change `{key}` of a study that has begun{_hint(key)}." for key in refused),
                f"`--set` can change {allowed}.",
            ]
        )


def _hint(key: str) -> str:
    return f"; {_OTHERWISE[key]}" if key in _OTHERWISE else ""


def stated_stores(config: StudyConfig, overrides: Sequence[str]) -> list[str]:
    """The addresses that the user states with `--set`, and so agrees to."""
    stated = any(override.partition("=")[0].strip() == "storage_path" for override in overrides)
    return [str(config.storage_path)] if stated and config.storage_path is not None else []
