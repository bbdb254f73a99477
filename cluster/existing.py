"""A Ray cluster that runs already: this process joins it as a driver, or is refused."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray

from cluster.autoscaling import asked_for
from cluster.connection import connect, disconnect
from cluster.errors import ClusterError
from cluster.token import checked_token, use_token

PACKAGES = ("antisample", "search_spaces", "tuning", "cluster")
_TIMEOUT_S = 30
# In a process of its own: Ray decides once in a process whether to show a token.
_KNOCK = """
import sys
from ray._raylet import GcsClient
try:
    GcsClient(address=sys.argv[1]).get_all_node_info(timeout=10)
except Exception as error:
    print(type(error).__name__, error)
    sys.exit(3)
"""


@contextmanager
def existing_ray(
    address: str,
    token_file: Path | None,
    allow_insecure: bool = False,
    ship: bool = True,
    autoscaled_workers: int = 0,
) -> Iterator[None]:
    """Joins a running Ray cluster for the length of a `with` block; within another such block it changes nothing.

    This process must run on one of its machines. The cluster's workers run this program as it is here: its packages
    travel with the job.

    Args:
        address: `HOST:PORT` of the cluster's head, or `auto` within a job of the cluster.
        token_file: The cluster's token, mode 0600; None for a cluster without.
        allow_insecure: Whether a cluster that lets anyone in will do.
        ship: Whether the packages travel; False where all machines have the same ones installed.
        autoscaled_workers: Machines to ask the cluster's autoscaler for, until the end.

    Yields:
        Nothing; `ray` is connected.

    Raises:
        ClusterError: If nobody answers at the address, the token is wrong, or the cluster asks for none.
    """
    if ray.is_initialized():
        yield
        return
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", "")
        if not address:
            raise ClusterError(["`address` can only be auto within a job of the cluster."])
    if not allow_insecure:
        _refuse_open_door(address)
    if token_file is not None:
        use_token(checked_token(token_file))
    connect(
        f"Ray at {address} cannot be joined",
        address=address,
        runtime_env={"py_modules": [str(place) for place in package_folders()]} if ship else None,
    )
    try:
        with asked_for(autoscaled_workers):
            yield
    finally:
        disconnect()


def package_folders() -> list[Path]:
    """Where this program's packages lie: all of them travel, from one place."""
    specs = [importlib.util.find_spec(name) for name in PACKAGES]
    return [Path(str(spec.origin)).parent for spec in specs if spec is not None]


def answers_without_token(address: str) -> bool:
    """Whether a cluster lets in someone who shows no token.

    Raises:
        ClusterError: If nobody answers.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_AUTH_")}
    command = [sys.executable, "-c", _KNOCK, address]
    try:
        done = subprocess.run(  # noqa: S603  (this interpreter)
            command,
            env={**environment, "RAY_AUTH_MODE": "disabled"},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ClusterError([f"Ray at {address} does not respond within {_TIMEOUT_S} s."]) from None
    if done.returncode == 0:
        return True
    if "authenticat" in done.stdout.lower():
        return False
    raise ClusterError([f"Ray at {address} does not answer: {done.stdout.strip().splitlines()[-1:] or done.stderr}"])


def _refuse_open_door(address: str) -> None:
    if answers_without_token(address):
        raise ClusterError(
            [
                f"The Ray cluster at {address} requires no token: anyone who can reach it can run code on it. "
                "Start it with RAY_AUTH_MODE=token, or set `allow_insecure: true` in the cluster file."
            ]
        )
