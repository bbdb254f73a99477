"""Weights of a model on disk: safetensors, or a torch file read without executing anything in it."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from antisample.checkpoints.channel_values import checked_preprocessing, is_number
from antisample.checkpoints.file_kinds import foreign_kind, is_safetensors
from antisample.checkpoints.given_path import path_problem
from antisample.checkpoints.state_dicts import check_tensors, find_state_dict
from antisample.checkpoints.torch_file import read_torch_file
from antisample.checkpoints.unfitting import check_weights, refusal
from antisample.checkpoints.weight_names import Match
from antisample.errors import DataError
from antisample.storage.atomic import atomic_write
from antisample.types import Preprocessing

_DIGEST = "digest"
_NUMBERS = r"[\s=:(\[]*((?:(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?nan|[-+]?inf)\b[\s,;]*)+)"


@dataclass(frozen=True)
class Checkpoint:
    """Weights and what is known about them.

    Attributes:
        state_dict: Tensors by name, on the CPU.
        metadata: Free text by key; our own files hold `mean` and `std` as JSON lists among others.
        notes: Sentences about what was taken of a file that holds more than weights.
    """

    state_dict: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def preprocessing(self, source: str | None = None) -> Preprocessing | None:
        """Reads mean and std from the metadata, or from the sentence `mean a b c and std a b c` in `input`.

        Args:
            source: Where the checkpoint comes from, for the message.

        Returns:
            What the model expects of its input; None where the metadata do not say.

        Raises:
            DataError: If mean or std breaks the rule that flags and study files obey, or one of them is missing; see
                `checked_preprocessing`.
        """
        values = {name: self._channel_values(name, source) for name in ("mean", "std")}
        if values["mean"] is None and values["std"] is None:
            return None
        try:
            return checked_preprocessing(values["mean"], values["std"])
        except ValueError as error:
            rule = str(error).replace("` must", "` in the metadata of the checkpoint must", 1)
            raise _bad_metadata(rule, source) from error

    def _channel_values(self, name: str, source: str | None) -> Any:
        """The mean or std, not checked yet; None where there is none."""
        if name in self.metadata:
            try:
                values = json.loads(self.metadata[name])
            except (ValueError, RecursionError):
                values = None
            if not isinstance(values, list) or not all(map(is_number, values)):
                raise _bad_metadata(
                    f"`{name}` in the metadata of the checkpoint must be a list of numbers as JSON, but got "
                    f"{self.metadata[name]!r}",
                    source,
                )
            return values
        sentence = re.search(rf"\b{name}\b{_NUMBERS}", self.metadata.get("input", ""), re.IGNORECASE)
        return None if sentence is None else [float(number) for number in re.split(r"[\s,;]+", sentence[1]) if number]


def _bad_metadata(rule: str, source: str | None) -> DataError:
    where = f"{source}: " if source is not None else ""
    return DataError(f"{where}{rule}; give `model.mean` and `model.std` instead.")


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint without executing code from it; what a file is tells its content, not its name.

    Args:
        path: A safetensors file, or a torch file that holds a state dict or a dictionary with one; see
            `find_state_dict`.

    Returns:
        The weights on the CPU, with the metadata of a safetensors file.

    Raises:
        DataError: If the file is missing, damaged, something else than weights, or would have to execute code.
    """
    try:
        problem = path_problem(path)
        if problem is None and is_safetensors(path):
            return _read_safetensors(path)
        problem = problem or foreign_kind(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if problem is not None:
        raise DataError(f"{path}: {problem}")
    if not _may_be_of_torch(path):
        raise DataError(
            f"{path}: not a readable checkpoint; it was written by neither safetensors nor torch.save, or is damaged."
        )
    state_dict, notes = find_state_dict(read_torch_file(path), str(path))
    check_tensors(state_dict, str(path))
    return Checkpoint(dict(state_dict), notes=notes)


def _may_be_of_torch(path: Path) -> bool:
    with path.open("rb") as file:
        return re.match(rb"PK|\x80[\x02-\x05]", file.read(2)) is not None


def _read_safetensors(path: Path) -> Checkpoint:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            names = list(file.keys())
            weights, metadata = {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (
        Exception
    ) as error:  # a header that is none, or a type that torch lacks, can make the reader raise anything
        raise DataError(f"{path}: not a readable safetensors file ({error}).") from error
    digest = metadata.pop(_DIGEST, None)
    if digest is not None and not re.fullmatch("[0-9a-f]{32}", digest):
        raise DataError(
            f"{path}: damaged, `{_DIGEST}` in its metadata must be 32 hexadecimal digits, but got {digest[:80]!r}."
        )
    if digest not in (None, weights_fingerprint(weights)):
        raise DataError(f"{path}: damaged, the weights differ from those that were written.")
    if not weights:
        raise DataError(f"{path}: contains no weights.")
    return Checkpoint(weights, metadata)


def pack_checkpoint(checkpoint: Checkpoint) -> bytes:
    """A checkpoint as safetensors, with a digest of the weights in the metadata, compared when they are read.

    Raises:
        DataError: If safetensors cannot hold it.
    """
    tensors, storages = {}, set()
    for name, tensor in checkpoint.state_dict.items():
        own = tensor.detach().cpu().contiguous()
        storage = own.untyped_storage().data_ptr()
        tensors[name] = own.clone() if storage in storages else own  # safetensors refuses tied weights
        storages.add(storage)
    metadata = {**checkpoint.metadata, _DIGEST: weights_fingerprint(tensors)}
    try:
        return _sorted_metadata(safetensors.torch.save(tensors, metadata))
    except safetensors.SafetensorError as error:
        raise DataError(f"The weights cannot be written ({error}).") from error


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes what `pack_checkpoint` makes, in one step: a reader sees the old file or the new one, never a part.

    Args:
        path: Where to; the folder is made.
        checkpoint: Weights and metadata.

    Raises:
        DataError: If it cannot be written.
    """
    content = pack_checkpoint(checkpoint)
    with atomic_write(path) as unfinished:
        unfinished.write_bytes(content)


def _sorted_metadata(content: bytes) -> bytes:
    """Makes a file depend on its content alone: safetensors writes metadata in an order that changes."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode().ljust(length)
    return content[:8] + text + content[8 + length :] if len(text) == length else content


def load_weights(model: nn.Module, state_dict: Mapping[str, Tensor], source: str) -> None:
    """Copies weights into a model and explains what does not fit.

    Args:
        model: Receives the weights in place.
        state_dict: Tensors by the network's own names.
        source: Where the weights come from, for the message.

    Raises:
        DataError: If names, shapes, types or values belong to another architecture.
    """
    own = model.state_dict()
    both = {name: name for name in own if name in state_dict}
    missing = tuple(name for name in own if name not in both)
    unknown = tuple(name for name in state_dict if name not in both)
    if missing or unknown:
        raise DataError(refusal(model, own, state_dict, Match(both, missing, unknown), source))
    check_weights(model, state_dict, source)
    model.load_state_dict(dict(state_dict))


def weights_fingerprint(state_dict: dict[str, Tensor]) -> str:
    """Hexadecimal digest of names, shapes and values of a state dict."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(state_dict):
        tensor = state_dict[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def weights_bytes(state_dict: Mapping[str, Tensor]) -> int:
    """How many bytes the weights take."""
    return sum(tensor.numel() * tensor.element_size() for tensor in state_dict.values())
