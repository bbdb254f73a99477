"""Ray on this machine: the default launcher."""

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import ray

# Ray imports every logger at start and writes 200 files for them; our own tracking reads nothing of that.
_QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@contextmanager
def local_ray(num_cpus: int | None = None, num_gpus: int | None = None) -> Iterator[None]:
    """Starts Ray on this machine for the length of a `with` block and stops it at the end, however it ends.

    The cluster listens on loopback and asks for a token that only this process and its workers know.

    Args:
        num_cpus: Cores to offer, at least 1; by default those this process may use.
        num_gpus: GPUs to offer; by default those that Ray finds.

    Yields:
        Nothing; `ray` is connected.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    # Ray switches authentication on by itself for a local cluster; setting RAY_AUTH_MODE here would come too late,
    # since Ray reads it when it is imported.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel(logging.ERROR)
    cpus = num_cpus if num_cpus is not None else len(os.sched_getaffinity(0))
    ray.init(
        num_cpus=cpus,
        num_gpus=num_gpus,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _node_ip_address="127.0.0.1",
    )
    try:
        yield
    finally:
        ray.shutdown()
