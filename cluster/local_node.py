"""A Ray for one machine: what it starts and where it listens, unlike Ray's own choice."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from ray._private import ray_constants, services
from ray._private.node import Node

# Methods of Ray's node that start what only its dashboard, autoscaling and logs in the terminal use: three processes
# that import as much as a worker, one of which Ray waits for.
_UNUSED = ("start_monitor", "start_log_monitor", "start_api_server")


@contextmanager
def local_node() -> Iterator[None]:
    """Has a Ray that starts within the block serve this user on this machine alone.

    - Its services listen on loopback. Ray replaces 127.0.0.1 by the machine's address except where it knows of no
      other machines, as on macOS: what is set here is what it sets there.
    - The processes that it does not need are not started.
    - Signals to this process's group, as `timeout` sends them, do not reach Ray, which is needed to stop gracefully.
    """
    several, start = ray_constants.ENABLE_RAY_CLUSTER, services.ConsolePopen
    methods = {name: method for name in _UNUSED if (method := getattr(Node, name, None)) is not None}
    inherited = os.environ.get(ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR)
    ray_constants.ENABLE_RAY_CLUSTER = False
    os.environ[ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR] = "0"
    services.ConsolePopen = partial(start, process_group=0)  # type: ignore[misc, assignment]
    for name in methods:
        setattr(Node, name, lambda *_, **__: None)
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = several
        services.ConsolePopen = start  # type: ignore[misc]
        for name, method in methods.items():
            setattr(Node, name, method)
        if inherited is None:
            del os.environ[ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR]
        else:
            os.environ[ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR] = inherited
