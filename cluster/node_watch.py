"""Hearing at once that a process of the Ray on this machine has ended, before Ray's library ends this one, too."""

import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ray._private import ray_constants, worker

_PARTS = {
    ray_constants.PROCESS_TYPE_RAYLET: "raylet (which starts the workers)",
    ray_constants.PROCESS_TYPE_GCS_SERVER: "GCS server (which keeps what the cluster is)",
}


@contextmanager
def watched_node(lost: Callable[[str], None]) -> Iterator[None]:
    """Watches the processes of the Ray that this process has started, for the length of a `with` block.

    Where one of them is killed, Ray's library prints the end of a log and ends this process within a second, without
    a word on what to do, or waits a minute for another to take its place.

    Args:
        lost: Called in a thread with a sentence that says which one has ended, at most once.

    Yields:
        Nothing. A Ray that this process has joined is not watched, since its processes are another's, nor are any
        where the system cannot tell of an end (only Linux can).
    """
    node = worker._global_node
    if node is None or not node.is_head() or not hasattr(os, "pidfd_open"):
        yield
        return
    over, stop = os.pipe()
    handles = {over: ""}
    for kind, name in _PARTS.items():
        for information in node.all_processes.get(kind, ()):
            with suppress(OSError):  # it has ended already, which the next call of Ray will find
                handles[os.pidfd_open(information.process.pid)] = f"{name}, process {information.process.pid},"
    logs = node.get_logs_dir_path()
    thread = threading.Thread(target=_watch, args=(handles, over, logs, lost), name="node watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(stop)
        thread.join()
        for handle in handles:
            os.close(handle)


def _watch(handles: dict[int, str], over: int, logs: str, lost: Callable[[str], None]) -> None:
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    ended = [handle for handle, _ in poll.poll()]
    if over not in ended:
        lost(f"Ray's {handles[ended[0]]} ended unexpectedly, possibly killed; its logs are in {logs}.")
