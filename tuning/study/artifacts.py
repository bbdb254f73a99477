"""The files of a study that its workers write: checkpoints of running trials and models; and copies of its views.

None of them is the truth. A checkpoint that is lost costs time, never a number.
"""

import json
import logging
import re
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from antisample.checkpoints.checkpoint import Checkpoint, pack_checkpoint
from antisample.errors import ConfigError, DataError, StorageError
from antisample.storage.file_store import FileStore, file_store, joined_place
from antisample.storage.regular_files import read_regular
from antisample.storage.state_file import pack_state, unpack_state
from tuning.config.study import StudyConfig

_logger = logging.getLogger(__name__)

_OWNER = "study.json"
_REPLICATE = re.compile(r"-replicate-\d+(?=\.pt$)")


class StudyFiles:
    """Files by trial, in a folder or in an object store.

    Args:
        store: Where they are.
    """

    def __init__(self, store: FileStore) -> None:
        self.store = store

    @classmethod
    def of(cls, config: StudyConfig) -> "StudyFiles":
        """The files of a study, where its `storage_path` says."""
        place = joined_place(config.storage_path, config.name) if config.storage_path else config.directory
        return cls(file_store(place, follow_links=False))

    def check(self) -> None:
        """Finds out, before long work, whether an object store answers.

        Raises:
            StorageError: If it does not.
        """
        self.store.read(_OWNER)

    def claim(self, study_id: str) -> None:
        """Makes sure that no two studies share the place: their checkpoints would be taken for each other's.

        Args:
            study_id: Of the study whose files these are.

        Raises:
            ConfigError: If the place holds the files of another study.
            StorageError: If it cannot be used.
        """
        owner = self.store.read(_OWNER)
        if owner is None:
            self.store.write(_OWNER, json.dumps({"study": study_id}).encode())
        elif _study_of(owner) != study_id:
            raise ConfigError(
                f"`storage_path`: {self.store.address} holds the files of another study. Choose another `name` or "
                "`storage_path`, or delete these files to use the place again."
            )

    def save_checkpoint(self, number: int, state: dict[str, Any], replicate: int | None = None) -> None:
        """Keeps the state of a running trial; where an object store does not answer, the older one stays.

        Args:
            number: Of the trial.
            state: What it needs to go on.
            replicate: Of which replicate it is, where several may run at once.

        Raises:
            DataError: If a folder cannot be written to.
        """
        try:
            self.store.write(_checkpoint(number, replicate), pack_state(state))
        except StorageError as error:
            _logger.warning("Trial %d continues without a checkpoint. %s", number, error)

    def load_checkpoint(self, number: int, replicate: int | None = None) -> dict[str, Any] | None:
        """The kept state of a trial, or of one replicate; None if there is none that is whole and can be reached."""
        try:
            return unpack_state(self.store.read(_checkpoint(number, replicate)))
        except (StorageError, DataError) as error:
            _logger.warning("Trial %d starts again. %s", number, error)
            return None

    def save_model(self, number: int, model: Checkpoint) -> None:
        """Keeps the unlearned model of a trial, as safetensors.

        Raises:
            DataError: If a folder cannot be written to.
            StorageError: If an object store cannot be used.
        """
        self.store.write(_model(number), pack_checkpoint(model))

    def load_weights(self, number: int) -> dict[str, Tensor] | None:
        """The weights of a trial's model; None if they are not there, or cannot be read."""
        try:
            content = self.store.read(_model(number))
            return None if content is None else safetensors.torch.load(content)
        except (StorageError, DataError, safetensors.SafetensorError) as error:
            _logger.warning("The model of trial %d could not be checked. %s", number, error)
            return None

    def discard(self, models: set[int], checkpoints: set[int]) -> None:
        """Deletes models and checkpoints of these trials; what cannot be deleted stays for now, with a warning."""
        unneeded = {"models": {_model(number) for number in models}}
        unneeded["checkpoints"] = {_checkpoint(number) for number in checkpoints}
        try:
            for folder, paths in unneeded.items():
                for name in sorted(self.store.names(folder)):
                    path = f"{folder}/{name}"
                    if _REPLICATE.sub("", path) in paths:
                        self.store.delete(path)
        except (StorageError, OSError) as error:
            _logger.warning("Files that are no longer needed were not deleted. %s", error)

    def copy(self, path: Path) -> None:
        """Copies a local file, one of the study's views, under its name.

        Raises:
            DataError: If it cannot be read, or a folder cannot be written to.
            StorageError: If an object store cannot be used.
        """
        try:
            content = read_regular(path, inside=path.parent)
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
        self.store.write(path.name, content)


def _model(number: int) -> str:
    return f"models/trial-{number:05d}.safetensors"


def _checkpoint(number: int, replicate: int | None = None) -> str:
    of_replicate = f"-replicate-{replicate}" if replicate is not None else ""
    return f"checkpoints/trial-{number:05d}{of_replicate}.pt"


def _study_of(content: bytes) -> str | None:
    try:
        owner = json.loads(content)
    except ValueError:
        return None
    return owner.get("study") if isinstance(owner, dict) else None
