"""Torch files, read without executing anything in them."""

import argparse
import pathlib
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from antisample.checkpoints.file_kinds import SAVE_WEIGHTS
from antisample.errors import DataError

# What frameworks keep beside the weights: learning curves, random states and names as NumPy arrays, and the options
# of the training. Making one of these does nothing else; nothing besides is let in.
_ALLOWED_TYPES: list[Any] = [
    np.ndarray,
    np.dtype,
    np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    np._core.multiarray.scalar,  # type: ignore[attr-defined]
    (np._core.multiarray._reconstruct, "numpy.core.multiarray._reconstruct"),  # type: ignore[attr-defined]
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),  # type: ignore[attr-defined]
    *{getattr(np.dtypes, name) for name in np.dtypes.__all__} - {np.dtypes.ObjectDType},
    argparse.Namespace,
    (pathlib.PurePosixPath, "pathlib.PosixPath"),
    pathlib.PurePosixPath,
]
_ARRAY_OF_OBJECTS = "numpy.dtypes.ObjectDType"
_MAGIC = bytes.fromhex("8a0a6cfc9c46f9206aa85019")


def read_torch_file(path: Path) -> Any:
    """Reads a file that `torch.save` has written; tensors come to the CPU.

    Args:
        path: The file.

    Returns:
        What it holds: tensors, NumPy arrays, options of a training, and what Python builds in.

    Raises:
        DataError: If it is damaged, is none of torch's, or would have to execute code.
    """
    is_archive = zipfile.is_zipfile(path)
    if not is_archive and _is_other_pickle(path):
        raise DataError(f"{path}: {_refusal([])}")
    if not is_archive and _start(path).startswith(b"PK"):
        raise DataError(f"{path}: not a readable torch checkpoint (it is cut short).")
    try:
        # An open file, since torch goes by the suffix of a path.
        with path.open("rb") as file, torch.serialization.safe_globals(_ALLOWED_TYPES), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about kinds of tensors that are refused, by name
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        objects = _objects(path, str(error))
        if not objects and re.search(r"Unsupported operand 1(4|5[01])", str(error)) and _is_intact(path):
            raise DataError(
                f"{path}: was pickled by another protocol than torch's own, 2, so it cannot be read without "
                f"executing code; {SAVE_WEIGHTS}."
            ) from error
        if not objects:
            raise DataError(f"{path}: not a readable torch checkpoint (it is damaged).") from error
        raise DataError(f"{path}: {_refusal(objects)}") from error
    except Exception as error:  # text, or a file cut short, can make the reader raise anything
        raise DataError(f"{path}: not a readable torch checkpoint ({_first_sentence(error)}).") from error


def _refusal(objects: list[str]) -> str:
    if any(name.startswith(("torch.nn.modules.", "torch.nn.parallel.")) for name in objects):
        own = next((name for name in objects if not name.startswith("torch.nn.")), objects[0])
        what = f"it holds a whole network, with objects such as {own}, which only code can rebuild"
    elif _ARRAY_OF_OBJECTS in objects:
        what = f"it holds an array of Python objects ({_ARRAY_OF_OBJECTS})"
    elif objects:
        what = f"it holds {objects[0]}"
    else:
        what = "it is a pickle that was not written by torch.save"
    return (
        "refused, since reading it would execute code or build objects other than tensors and arrays: "
        f"{what}. If you trust it, load it with the program that wrote it, and {SAVE_WEIGHTS}, or save it as "
        "safetensors."
    )


def _objects(path: Path, reason: str) -> list[str]:
    """Names of what the file would have to build or call, found without doing so."""
    if built := re.search(r"but got <class '([\w.]+)'>", reason):
        return [built[1]]
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # a file of the old layout, or a damaged one
        return re.findall(r"GLOBAL ([\w.]+)", reason)[:1]
    allowed = {f"{kind.__module__}.{kind.__qualname__}" for kind in _ALLOWED_TYPES if not isinstance(kind, tuple)}
    allowed |= {kind[1] for kind in _ALLOWED_TYPES if isinstance(kind, tuple)}
    return sorted(set(names) - allowed, key=lambda name: (name.startswith("builtins."), name))


def _is_intact(path: Path) -> bool:
    """Whether an archive holds what was written, by its checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # a file of the old layout has no checksums, and a damaged one can raise anything
        return False


def _is_other_pickle(path: Path) -> bool:
    """Whether a file is a pickle without the number that torch begins with where it writes no archive."""
    start = _start(path)
    return re.match(rb"\x80[\x02-\x05]", start) is not None and _MAGIC not in start


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _first_sentence(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
