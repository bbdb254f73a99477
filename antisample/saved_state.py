"""The state of unfinished work on disk: taken up only if it is, bit by bit, what was written."""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from antisample.files import whole_file

_DIGEST_BYTES = 32


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Writes tensors, numbers and strings in one step, behind a digest of them.

    Args:
        path: Where to; the folder is made.
        state: What `torch.load(weights_only=True)` can read.

    Raises:
        DataError: If it cannot be written.
    """
    content = io.BytesIO()
    torch.save(state, content)
    with whole_file(path) as unfinished:
        unfinished.write_bytes(_digest(content.getbuffer()) + content.getbuffer())


def load_state(path: Path, device: torch.device | str = "cpu") -> dict[str, Any] | None:
    """Reads what `save_state` wrote; never executes anything in it.

    Args:
        path: The file.
        device: Where tensors go.

    Returns:
        The state; None if there is none, or if it is damaged: the work then begins anew.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if content[:_DIGEST_BYTES] != _digest(memoryview(content)[_DIGEST_BYTES:]):
        return None
    state: dict[str, Any] = torch.load(io.BytesIO(content[_DIGEST_BYTES:]), map_location=device, weights_only=True)
    return state


def _digest(content: memoryview) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
