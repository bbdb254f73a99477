"""The folder of Ray's sockets and logs: where the usual one has a path too long for sockets, a short one."""

import os
import tempfile
from pathlib import Path

from ray._common.utils import get_default_ray_temp_dir

from cluster.errors import ClusterError

LONGEST = 107
"""Bytes of a socket's path in Linux."""
# What Ray appends: its session, named by date, time and process, and the longest name of a socket.
_APPENDED = len("/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store.10")
_PREFIX = "antisample-ray-"
_PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  (a folder of mode 0700 with a random name is made there)


def temporary_folder() -> str | None:
    """Chooses the folder for a Ray that this process starts.

    Returns:
        A new folder that only its owner reads, if the path of the usual folder is too long; None for the usual one.

    Raises:
        ClusterError: If no place with a short path can be written.
    """
    usual = os.path.abspath(get_default_ray_temp_dir())  # type: ignore[no-untyped-call]  # noqa: PTH100
    if fits(usual):
        return None
    places = [*_PLACES, os.environ.get("XDG_RUNTIME_DIR", "")]
    for place in filter(None, places):
        try:
            folder = tempfile.mkdtemp(prefix=_PREFIX, dir=place)
        except OSError:
            continue
        if fits(folder):
            return folder
        Path(folder).rmdir()
    raise ClusterError(
        [
            f"Ray needs a folder with a path of at most {LONGEST - _APPENDED} bytes for its sockets, but neither "
            f"{usual} nor any of {', '.join(filter(None, places))} will do; set RAY_TMPDIR to one."
        ]
    )


def fits(folder: str) -> bool:
    """Whether the paths of Ray's sockets below a folder are short enough."""
    return len(os.fsencode(folder)) + _APPENDED <= LONGEST


def is_ours(folder: str) -> bool:
    """Whether a folder is one that `temporary_folder` has made."""
    return Path(folder).name.startswith(_PREFIX)
