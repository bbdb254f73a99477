"""Weights of a model on disk: safetensors, or a torch file read without executing anything in it."""

import hashlib
import json
import pickle
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.dtypes import Float32DType, Float64DType, Int64DType
from torch import Tensor, nn

from antisample.errors import DataError
from antisample.files import whole_file
from antisample.types import Preprocessing

# The published checkpoints keep their learning curves as NumPy arrays beside the weights; nothing else is let in.
_ALLOWED_TYPES = [
    np.ndarray,
    np.dtype,
    np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    np._core.multiarray.scalar,  # type: ignore[attr-defined]
    Float32DType,
    Float64DType,
    Int64DType,
]


_DIGEST = "digest"


@dataclass(frozen=True)
class Checkpoint:
    """Weights and what is known about them.

    Attributes:
        state_dict: Tensors by name, on the CPU.
        metadata: Free text by key; our own files hold `mean` and `std` as JSON lists among others.
    """

    state_dict: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)

    def preprocessing(self) -> Preprocessing | None:
        """Reads mean and std from the metadata, or from the sentence `mean a b c and std a b c` in `input`.

        Raises:
            DataError: If mean or std is there and is no list of numbers.
        """
        values = {}
        for key in ("mean", "std"):
            if key in self.metadata:
                try:
                    values[key] = tuple(float(v) for v in json.loads(self.metadata[key]))
                except (ValueError, TypeError) as error:
                    raise DataError(
                        f"`{key}` in the metadata of the checkpoint must be a list of numbers as JSON, but got "
                        f"{self.metadata[key]!r}; give `model.mean` and `model.std` instead."
                    ) from error
                continue
            found = re.search(rf"\b{key}((?:[ ,]+\d*\.\d+)+)", self.metadata.get("input", ""))
            if found is None:
                return None
            values[key] = tuple(float(v) for v in re.findall(r"\d*\.\d+", found.group(1)))
        return Preprocessing(mean=values["mean"], std=values["std"])


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint without executing code from it.

    Args:
        path: A `.safetensors` file, or a torch file that holds a state dict or a dictionary with one under
            `state_dict`.

    Returns:
        The weights on the CPU, with the metadata of a safetensors file.

    Raises:
        DataError: If the file is missing, damaged, holds no weights, or would have to execute code.
    """
    if not path.is_file():
        raise DataError(f"{path}: the checkpoint does not exist.")
    if path.suffix == ".safetensors":
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                names = list(file.keys())
                weights, metadata = {name: file.get_tensor(name) for name in names}, file.metadata() or {}
        except (safetensors.SafetensorError, OSError) as error:
            raise DataError(f"{path}: not a readable safetensors file ({error}).") from error
        if metadata.pop(_DIGEST, None) not in (None, weights_fingerprint(weights)):
            raise DataError(f"{path}: damaged, the weights are not those that were written.")
        return Checkpoint(weights, metadata)
    try:
        with torch.serialization.safe_globals(_ALLOWED_TYPES):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path}: refused, since reading it would execute code or build objects other than tensors and "
            "arrays. Save the weights as safetensors, or as `torch.save(model.state_dict(), path)`."
        ) from error
    except Exception as error:  # text, or a file cut short, can make the reader raise anything
        raise DataError(f"{path}: not a readable torch checkpoint ({error}).") from error
    state_dict = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state_dict, dict) or not all(isinstance(value, Tensor) for value in state_dict.values()):
        raise DataError(f"{path}: holds no state dict; expected tensors by name, or a dictionary with `state_dict`.")
    return Checkpoint(dict(state_dict))


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
    with whole_file(path) as unfinished:
        unfinished.write_bytes(content)


def _sorted_metadata(content: bytes) -> bytes:
    """Makes a file depend on its content alone: safetensors writes metadata in an order that changes."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode().ljust(length)
    return content[:8] + text + content[8 + length :] if len(text) == length else content


def load_weights(model: nn.Module, state_dict: dict[str, Tensor], source: str) -> None:
    """Copies weights into a model and explains what does not fit.

    Args:
        model: Receives the weights in place.
        state_dict: Tensors by name.
        source: Where the weights come from, for the message.

    Raises:
        DataError: If names or shapes belong to another architecture.
    """
    own = model.state_dict()
    problems = [f"lacks {name!r}" for name in own if name not in state_dict]
    problems += [f"has an unknown {name!r}" for name in state_dict if name not in own]
    problems += [
        f"has {name!r} of shape {list(tensor.shape)} where the model has {list(own[name].shape)}"
        for name, tensor in state_dict.items()
        if name in own and own[name].shape != tensor.shape
    ]
    if problems:
        more = f", and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise DataError(
            f"{source}: the checkpoint is of another architecture than {type(model).__name__}: "
            f"it {'; it '.join(problems[:3])}{more}."
        )
    model.load_state_dict(state_dict)


def weights_fingerprint(state_dict: dict[str, Tensor]) -> str:
    """Hexadecimal digest of names, shapes and values of a state dict."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(state_dict):
        tensor = state_dict[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
