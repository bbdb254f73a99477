"""The same bits from the same work: what torch needs for that on the same hardware."""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_WARNING = re.compile(r"(\S+) does not have a deterministic implementation")


@contextmanager
def deterministic(threads: int | None = None) -> Iterator[list[str]]:
    """Within the block, torch takes algorithms that give the same bits every time on the same hardware.

    Sums depend on how they are divided among threads, so their number belongs to what has to be repeated.

    Args:
        threads: Threads that torch computes with on the CPU, at least 1; None leaves their number.

    Yields:
        Operations that have no such algorithm, as they are met: with any in it, the work may not be repeatable.
    """
    operations: list[str] = []
    settings: Any = torch.utils.deterministic  # whose property mypy cannot see
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filling, n_threads = settings.fill_uninitialized_memory, torch.get_num_threads()
    benchmark = torch.backends.cudnn.benchmark
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when a GPU's first product is computed
    with warnings.catch_warnings():
        warnings.filterwarnings("always", message=f".*{_WARNING.pattern[5:]}")
        show = warnings.showwarning

        def note(message: Warning | str, *arguments: Any, **named: Any) -> None:
            match = _WARNING.search(str(message))
            if match is None:
                show(message, *arguments, **named)
            elif match[1] not in operations:
                operations.append(match[1])

        warnings.showwarning = note
        try:
            torch.use_deterministic_algorithms(True, warn_only=True)
            settings.fill_uninitialized_memory = False  # costs time and guards against bugs alone
            torch.backends.cudnn.benchmark = False
            if threads is not None:
                torch.set_num_threads(threads)
            yield operations
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            settings.fill_uninitialized_memory = filling
            torch.backends.cudnn.benchmark = benchmark
            torch.set_num_threads(n_threads)
