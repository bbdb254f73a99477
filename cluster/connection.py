"""Connecting this process to Ray and disconnecting it, without what Ray does to the process besides."""

import contextlib
import logging
import os
import time
from typing import Any

import psutil
import ray
from ray._private import worker

from cluster.errors import ClusterError
from cluster.quiet import keep_ray_quiet
from cluster.signals import kept_signals
from cluster.temporary import remove_temporary_folder

_LONGEST_REASON = 600
_SECONDS_TO_DIE = 5.0
_PLAIN = (Exception, RuntimeError, ValueError, ConnectionError, OSError)
"""Exceptions whose kind says nothing beyond their text."""
_TIMED_OUT = (
    "its processes did not start in time; limits on memory, processes or open files may be too low (`ulimit -a`)"
)
_IN_PLAIN_WORDS = {
    "The current node timed out": _TIMED_OUT,
    "Timed out waiting for file": _TIMED_OUT,
    "Failed to start GCS": "its control service did not start; see gcs_server.err",
}


def connect(refusal: str, **options: Any) -> None:
    """Calls `ray.init`, which prints nothing and leaves the handlers of signals alone.

    Args:
        refusal: Begins the sentence that says why it failed, such as `Ray cannot be started`.
        options: Of `ray.init`.

    Raises:
        ClusterError: Whatever Ray raises; nothing that it has started is left.
    """
    keep_ray_quiet()
    before = _children()
    try:
        with kept_signals():
            ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **options)
            logging.getLogger("ray").setLevel(logging.ERROR)
    except BaseException as error:
        started = _children() - before
        ray.shutdown()
        _end(started | (_children() - before))
        if not isinstance(error, Exception):
            raise
        raise ClusterError([f"{refusal}: {describe(error)}"]) from error


def disconnect() -> None:
    """Calls `ray.shutdown`: a Ray that this process has started ends, another one is left. Harmless without Ray."""
    node = worker._global_node
    folder = node.get_temp_dir_path() if node is not None and node.is_head() else ""
    ray.shutdown()
    remove_temporary_folder(folder)


def describe(error: Exception) -> str:
    """What Ray raises, in a line."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        advice = "; set RAY_TMPDIR to a writable directory" if _is_temporary(str(error.filename)) else ""
        return f"{error.filename}: {error.strerror}{advice}."
    text = " ".join(str(error).split())
    text = next((words for start, words in _IN_PLAIN_WORDS.items() if text.startswith(start)), text)
    kind = "" if text and type(error) in _PLAIN else type(error).__name__
    return f"{': '.join(filter(None, (kind, text[:_LONGEST_REASON].rstrip('.'))))}."


def _is_temporary(path: str) -> bool:
    return any(path.startswith(place) for name in ("RAY_TMPDIR", "TMPDIR") if (place := os.environ.get(name)))


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def _end(processes: set[psutil.Process]) -> None:
    """Ends those of the processes that are Ray's: a start that fails halfway forgets what it has started.

    Returns once they are gone, and with them what they had begun to start in the meantime.
    """
    ends = time.monotonic() + _SECONDS_TO_DIE
    remaining = {process for process in processes if _is_rays(process)}
    while remaining and time.monotonic() < ends:
        for process in remaining:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                remaining = remaining | {child for child in process.children(recursive=True) if _is_rays(child)}
                process.kill()
        remaining = {process for process in psutil.wait_procs(remaining, timeout=0.1)[1] if _is_rays(process)}


def _is_rays(process: psutil.Process) -> bool:
    try:
        return any("/ray/" in word or word.startswith("ray::") for word in process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
