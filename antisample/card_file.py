"""Cards on disk, and what they say of machine and files."""

import hashlib
import json
import platform
from datetime import UTC, datetime
from pathlib import Path

import torch
from pydantic import ValidationError

import antisample
from antisample.card import EnvironmentFacts, UnlearningCard
from antisample.card_text import card_text
from antisample.config import validation_problems
from antisample.device import choose_device, describe_device
from antisample.errors import ConfigError, DataError
from antisample.files import whole_file
from antisample.regular_files import open_regular, read_regular

CARD_FILES = ("card.json", "card.md")


def read_card(path: Path) -> UnlearningCard:
    """Reads a card.

    Raises:
        DataError: If it is missing or no JSON.
        ConfigError: With everything in it that breaks the schema.
    """
    try:
        values = json.loads(read_regular(path).decode())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a card, since it is not readable as JSON ({error}).") from error
    try:
        return UnlearningCard.model_validate(values)
    except ValidationError as error:
        raise ConfigError(validation_problems(error), str(path)) from error


def write_card(folder: Path, card: UnlearningCard) -> None:
    """Writes `card.json` and `card.md`.

    Raises:
        DataError: If they cannot be written.
    """
    for name, text in zip(CARD_FILES, (card.model_dump_json(indent=2) + "\n", card_text(card)), strict=True):
        with whole_file(folder / name) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


def environment_facts(device: str, not_deterministic: list[str]) -> EnvironmentFacts:
    """What is known of this machine; `device` as in `UnlearnConfig.device`."""
    return EnvironmentFacts(
        versions={
            "antisample": antisample.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        device=describe_device(choose_device(device)),
        machine=f"{platform.system()} {platform.machine()}",
        threads=torch.get_num_threads(),
        not_deterministic=tuple(not_deterministic),
    )


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def now() -> str:
    """The time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
