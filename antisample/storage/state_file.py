"""The state of unfinished work on disk: taken up only if it is, bit by bit, what was written."""

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import torch

from antisample.storage.atomic import atomic_write

_DIGEST_BYTES = 32


def pack_state(state: dict[str, Any]) -> bytes:
    """Tensors, numbers and strings as bytes, behind a digest of them.

    Args:
        state: What `torch.load(weights_only=True)` can read.
    """
    content = io.BytesIO()
    torch.save(state, content)
    return _digest(content.getbuffer()) + content.getbuffer()


def unpack_state(content: bytes | None, device: torch.device | str = "cpu") -> dict[str, Any] | None:
    """Reads what `pack_state` made; never executes anything in it.

    Args:
        content: The bytes, or None.
        device: Where tensors go.

    Returns:
        The state; None if there are no bytes, if they are damaged, or if they hold anything but tensors, numbers and
        strings: the work then begins anew.
    """
    if content is None or content[:_DIGEST_BYTES] != _digest(memoryview(content)[_DIGEST_BYTES:]):
        return None
    packed = io.BytesIO(content[_DIGEST_BYTES:])
    try:
        state: dict[str, Any] = torch.load(packed, map_location=device, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError):  # somebody else's bytes behind a digest of ours
        return None
    return state


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Writes what `pack_state` makes, in one step.

    Args:
        path: Where to; the folder is made.
        state: See `pack_state`.

    Raises:
        DataError: If it cannot be written.
    """
    with atomic_write(path) as unfinished:
        unfinished.write_bytes(pack_state(state))


def load_state(path: Path, device: torch.device | str = "cpu") -> dict[str, Any] | None:
    """Reads what `save_state` wrote; see `unpack_state`. None if there is no such file, too."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return unpack_state(content, device)


def _digest(content: memoryview) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
