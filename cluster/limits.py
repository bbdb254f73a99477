"""What the system must allow before Ray is started, which else times out after half a minute, or never."""

import os
import resource
import socket

import psutil

from cluster.errors import ClusterError

_FEWEST_FILES = 64
_PORT = "RAY_GCS_SERVER_PORT"


def check_limits() -> None:
    """Refuses to start Ray where it cannot come up.

    Raises:
        ClusterError: With every limit that is too tight, and a port that is in use.
    """
    problems = [problem for problem in (_addresses(), _files(), _port()) if problem is not None]
    if problems:
        raise ClusterError([f"Ray cannot be started: {problem}" for problem in problems])


def _addresses() -> str | None:
    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    # The object store maps up to three tenths of the machine's memory, the rest of a process about 2 GB.
    wanted = 2 * 2**30 + 0.3 * psutil.virtual_memory().total
    if allowed == resource.RLIM_INFINITY or allowed >= wanted:
        return None
    return (
        f"the limit of memory addresses (`ulimit -v`) must be at least {wanted / 2**30:.0f} GiB on this machine, "
        f"but is {allowed / 2**30:.1f} GiB."
    )


def _files() -> str | None:
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed == resource.RLIM_INFINITY or allowed >= _FEWEST_FILES:
        return None
    return f"the limit of open files (`ulimit -n`) must be at least {_FEWEST_FILES}, but is {allowed}."


def _port() -> str | None:
    wanted = os.environ.get(_PORT)
    if not wanted:
        return None
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("", int(wanted)))
    except ValueError:
        return f"{_PORT} must be a port, but is {wanted!r}."
    except (OSError, OverflowError) as error:
        return f"port {wanted} of {_PORT} cannot be used ({getattr(error, 'strerror', None) or error})."
    return None
