"""Ray on this machine: the default launcher."""

import logging
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from threading import Thread

import ray
from ray._private.node import Node

from cluster.quiet import keep_ray_quiet

_PRELOAD = "RAY_preload_python_modules"
# Methods of Ray's node that start what only its dashboard, autoscaling and logs in the terminal use: three processes
# that import as much as a worker, one of which Ray waits for.
_UNUSED = ("start_monitor", "start_log_monitor", "start_api_server")


@contextmanager
def local_ray(num_cpus: int | None = None, num_gpus: int | None = None) -> Iterator[None]:
    """Has Ray on this machine for the length of a `with` block and stops it at the end, however it ends.

    The cluster listens on loopback and asks for a token that only this process and its workers know.

    Args:
        num_cpus: Cores to offer, at least 1; by default those this process may use.
        num_gpus: GPUs to offer; by default those that Ray finds.

    Yields:
        Nothing; `ray` is connected.
    """
    if not ray.is_initialized():
        _start(num_cpus, num_gpus)
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def early_ray(
    driver_modules: Sequence[str], worker_module: str, num_cpus: int | None = None, num_gpus: int | None = None
) -> Iterator[None]:
    """Starts Ray while this process imports what it needs: a start of Ray is mostly waiting.

    `local_ray` within the block takes this Ray over.

    Args:
        driver_modules: Imported meanwhile.
        worker_module: Imported by Ray's first worker processes as they start, before there is work for them.
        num_cpus: See `local_ray`.
        num_gpus: See `local_ray`.

    Yields:
        Nothing; what was not taken over is stopped at the end.
    """
    importing = Thread(target=lambda: [import_module(name) for name in driver_modules], name="importing")
    importing.start()
    os.environ[_PRELOAD] = worker_module
    try:
        _start(num_cpus, num_gpus)
        importing.join()
        yield
    finally:
        importing.join()
        ray.shutdown()


def _start(num_cpus: int | None, num_gpus: int | None) -> None:
    keep_ray_quiet()
    # Ray switches authentication on by itself for a local cluster; setting RAY_AUTH_MODE here would come too late,
    # since Ray reads it when it is imported.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with _without_unused_processes():
        ray.init(
            address="local",  # also where another Ray runs on this machine, or RAY_ADDRESS names one
            num_cpus=num_cpus if num_cpus is not None else _cores(),
            num_gpus=num_gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address="127.0.0.1",
        )


@contextmanager
def _without_unused_processes() -> Iterator[None]:
    """Has a Ray that starts within the block leave them out."""
    started = {name: method for name in _UNUSED if (method := getattr(Node, name, None)) is not None}
    for name in started:
        setattr(Node, name, lambda *_, **__: None)
    try:
        yield
    finally:
        for name, method in started.items():
            setattr(Node, name, method)


def _cores() -> int:
    return len(os.sched_getaffinity(0))
