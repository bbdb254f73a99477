"""What single flags override in a study or a configuration."""

import json
from pathlib import Path
from typing import Any, TypeVar

from antisample.config import UnlearnConfig
from antisample.errors import ConfigError
from antisample.models.normalisation import NORMALISATIONS
from antisample.validation.spelling import did_you_mean
from tuning.config.budget import Budget
from tuning.config.study import StudyConfig
from tuning.config.tracking_address import tracking_problem

_Config = TypeVar("_Config", StudyConfig, UnlearnConfig)


def model_overrides(normalisation: str | None, *, accept_original: bool) -> list[str]:
    """What `--normalisation` and `--accept-original` override in a study."""
    stated = {} if normalisation is None else _normalisation(normalisation)
    overrides = [f"model.{key}={json.dumps(value)}" for key, value in stated.items()]
    return [*overrides, *(["model.accept_original=true"] if accept_original else [])]


def accepting_original(config: _Config, *, accept_original: bool) -> _Config:
    """The configuration of a study that was made before, or of one of its trials, with `--accept-original`."""
    if not accept_original:
        return config
    return config.model_copy(update={"model": config.model.model_copy(update={"accept_original": True})})


def selected(select: str | None) -> list[str]:
    """What `--select` overrides in a study."""
    return [] if select is None else [f"selection.by={select}"]


def budgeted(budget: str | None) -> list[str]:
    """What `--budget` overrides in a study.

    Raises:
        ConfigError: If it is none.
    """
    if budget is None:
        return []
    try:
        return [f"budget={Budget.parse(budget).plain()}"]
    except ValueError as error:
        raise ConfigError(f"`--budget` {error}.") from None


def check_uri(uri: str) -> None:
    """Raises ConfigError if `--tracking-uri` is none."""
    problem = tracking_problem(uri)
    if problem is not None:
        raise ConfigError(f"`--tracking-uri` {problem}.")


def model_values(
    name: str, checkpoint: Path | None, normalisation: str | None, *, accept_original: bool
) -> dict[str, Any]:
    """The values of `model` that flags state."""
    stated = {} if normalisation is None else _normalisation(normalisation)
    accepted = {"accept_original": True} if accept_original else {}
    return {"name": name, "checkpoint": checkpoint, **stated, **accepted}


def _normalisation(text: str) -> dict[str, Any]:
    if text in NORMALISATIONS:
        return {"normalisation": text}
    try:
        mean, std = ([float(value) for value in listed(part)] for part in text.split("/"))
    except ValueError:
        raise ConfigError(
            f"`--normalisation` must be one of {', '.join(NORMALISATIONS)}, or mean/std, comma-separated values "
            f"for each channel, such as 0.49,0.48,0.45/0.25,0.24,0.26, but got {text!r}."
            f"{did_you_mean(text, NORMALISATIONS)}"
        ) from None
    return {"mean": mean, "std": std}


def listed(text: str) -> list[str]:
    """The parts of a flag whose values are separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
