"""Paths in a card: relative to where the command was given, since a card is handed over and folders are not."""

import os
from pathlib import Path
from typing import Any

from antisample.config import UnlearnConfig
from antisample.export.card import UnlearningCard


def relative_path(path: str, base: Path) -> str:
    """A path as one writes it in `base`; relative ones, and what is no path, stay as they are.

    A path in `base` itself begins with `./`, so that it is taken for no name of a data set.
    """
    if not Path(path).is_absolute():
        return path
    relative = os.path.relpath(path, base)
    return relative if os.sep in relative or relative == os.pardir else f".{os.sep}{relative}"


def with_relative_paths(config: UnlearnConfig, base: Path) -> UnlearnConfig:
    """The configuration with relative paths in the place of absolute ones; it means the same in `base`."""

    def moved(value: Any) -> Any:
        if isinstance(value, Path):
            return Path(relative_path(str(value), base))
        return relative_path(value, base) if isinstance(value, str) else value

    parts: dict[str, Any] = {"data": ("source", "root", "cache_dir"), "model": ("checkpoint", "initial_weights")}
    update: dict[str, Any] = {
        part: getattr(config, part).model_copy(
            update={name: moved(getattr(getattr(config, part), name)) for name in names}
        )
        for part, names in parts.items()
    }
    if config.after is not None:
        update["after"] = config.after.model_copy(update={"card": moved(config.after.card)})
    return config.model_copy(update=update)


def command_folder(card: UnlearningCard, folder: Path) -> Path | None:
    """Where the command of a card was given, if the card still lies where the command put it.

    Args:
        card: With a folder that is relative to the card's own, or absolute in cards of earlier versions.
        folder: Where the card lies.
    """
    try:
        place = (folder / card.folder).resolve()
        return place if place.is_dir() else None
    except (OSError, RuntimeError, ValueError):
        return None
