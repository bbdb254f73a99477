"""Ray on this machine: the default launcher."""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Thread

import ray
from ray._private import services

from cluster.connection import connect, disconnect
from cluster.environment import kept_environment, reread_environment
from cluster.errors import ClusterError
from cluster.limits import check_limits
from cluster.local_node import local_node
from cluster.temporary import remove_temporary_folder, temporary_folder

_PRELOAD = "RAY_preload_python_modules"


@contextmanager
def local_ray(num_cpus: int | None = None, num_gpus: int | None = None) -> Iterator[None]:
    """Has Ray on this machine for the length of a `with` block and stops it at the end, however it ends.

    The cluster listens on loopback and asks for a token that only this process and its workers know.

    Args:
        num_cpus: Cores to offer, at least 1; by default those this process may use.
        num_gpus: GPUs to offer; by default those that Ray finds.

    Yields:
        Nothing; `ray` is connected.

    Raises:
        ClusterError: If it cannot be started.
    """
    with kept_environment():
        if not ray.is_initialized():
            _start(num_cpus, num_gpus)
        try:
            yield
        finally:
            disconnect()


@contextmanager
def ray_of_this_process() -> Iterator[None]:
    """Has the Ray of a Python program for the length of a `with` block, or one of the block's own.

    A Ray that the program has started or joined is used and left alone. Otherwise the one that RAY_ADDRESS or
    `ray start` names is joined, and one is started where there is none; both end with the block.

    Yields:
        Nothing; `ray` is connected.

    Raises:
        ClusterError: If Ray cannot be started or joined.
    """
    if ray.is_initialized():
        yield
        return
    address = services.canonicalize_bootstrap_address(None)  # type: ignore[arg-type]
    if address is None:
        with local_ray():
            yield
        return
    with kept_environment():
        connect(f"Ray at {address} cannot be joined", address=address)
        try:
            yield
        finally:
            disconnect()


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

    Raises:
        ClusterError: If it cannot be started.
    """
    # A daemon, since who stops the program now does not wait for imports.
    importing = Thread(target=lambda: [import_module(name) for name in driver_modules], name="importing", daemon=True)
    importing.start()
    os.environ[_PRELOAD] = worker_module
    try:
        _start(num_cpus, num_gpus)
        importing.join()
        yield
    finally:
        disconnect()


def _start(num_cpus: int | None, num_gpus: int | None) -> None:
    check_limits()
    # Ray switches authentication on by itself for a local cluster; setting RAY_AUTH_MODE here would come too late,
    # since Ray reads it when it is imported.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    reread_environment()  # another Ray of this process had another token
    folder = temporary_folder()
    try:
        with local_node():
            connect(
                "Ray cannot be started",
                address="local",  # also where another Ray runs on this machine, or RAY_ADDRESS names one
                num_cpus=num_cpus if num_cpus is not None else _cores(),
                num_gpus=num_gpus,
                include_dashboard=False,
                _node_ip_address="127.0.0.1",
                _temp_dir=folder,
            )
    except ClusterError as error:
        logs = Path(folder, "session_latest", "logs")
        if not logs.exists():
            remove_temporary_folder(folder)
            raise
        raise ClusterError([f"{problem} Ray's logs are in {logs}." for problem in error.problems]) from error
    except BaseException:
        remove_temporary_folder(folder)
        raise


def _cores() -> int:
    return len(os.sched_getaffinity(0))
