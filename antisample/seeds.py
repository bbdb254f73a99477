"""Independent random streams derived from one seed, so that no draw depends on how many came before it."""

import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive(seed: int, *purpose: str | int) -> int:
    """Derives a 63-bit seed for one purpose, for instance `derive(seed, "order", epoch)`.

    Args:
        seed: The seed of the run, at least 0.
        *purpose: Words and numbers that name the stream.

    Returns:
        The same number for the same arguments, on every machine.
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in purpose]
    return int(np.random.SeedSequence([seed, *words]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def numpy_stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """A NumPy generator for one purpose."""
    return np.random.default_rng(derive(seed, *purpose))


def torch_stream(device: torch.device, seed: int, *purpose: str | int) -> torch.Generator:
    """A torch generator on `device` for one purpose."""
    return torch.Generator(device).manual_seed(derive(seed, *purpose))


@contextmanager
def undisturbed(device: torch.device, seed: int | None = None) -> Iterator[None]:
    """Within the block, foreign code may draw what it likes: the global generators are as before at its end.

    Args:
        device: Whose generator is looked after beside those of the CPU, of Python and of NumPy.
        seed: What they are set to at the beginning; None leaves them.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  (what somebody else's code uses)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            if seed is not None:
                torch.manual_seed(seed)
                random.seed(seed)
                np.random.seed(seed)  # noqa: NPY002
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
