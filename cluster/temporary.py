"""The folder of Ray's sockets and logs: new for each start, short enough for sockets, and its owner's alone.

Ray opens its own folders to everybody (mode 0777), and each of its workers does so again. So they lie in one that
only the owner may enter.
"""

import os
import shutil
import tempfile
from pathlib import Path

from cluster.errors import ClusterError

LONGEST = 107
"""Bytes of a socket's path in Linux."""
# What Ray appends: its session, named by date, time and process, and the longest name of a socket.
_APPENDED = len("/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store.10")
_PREFIX = "antisample-"
_RAYS = "ray"
_LONGEST_PLACE = LONGEST - _APPENDED - len(f"/{_PREFIX}12345678/{_RAYS}")
_PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  (a folder of mode 0700 with a random name is made there)


def temporary_folder() -> str:
    """Makes the folder for a Ray that this process starts.

    Returns:
        A path for Ray in a new folder that only its owner may enter: below RAY_TMPDIR, else below the usual folder
        for temporary files (TMPDIR), else, where paths of sockets would be too long there, below one with a short
        path.

    Raises:
        ClusterError: If RAY_TMPDIR cannot be written, or no place with a short path can be.
    """
    named = os.environ.get("RAY_TMPDIR")
    usual = os.path.abspath(named or tempfile.gettempdir())  # noqa: PTH100
    places = list(filter(None, [usual, *_PLACES, os.environ.get("XDG_RUNTIME_DIR", "")]))
    for place in places:
        try:
            owned = tempfile.mkdtemp(prefix=_PREFIX, dir=place)
        except OSError as error:
            if place == usual and named:
                refusal = f"Ray cannot be started: {place}: {error.strerror}"
                raise ClusterError([f"{refusal}; set RAY_TMPDIR to a writable directory."]) from error
            continue
        if fits(folder := f"{owned}/{_RAYS}"):
            return folder
        Path(owned).rmdir()
    raise ClusterError(
        [
            f"Ray needs a directory with a path of at most {_LONGEST_PLACE} bytes for its sockets, but neither "
            f"{usual} nor any of {', '.join(places[1:])} is suitable; set RAY_TMPDIR to one."
        ]
    )


def fits(folder: str) -> bool:
    """Whether the paths of Ray's sockets below a folder are short enough."""
    return len(os.fsencode(folder)) + _APPENDED <= LONGEST


def remove_temporary_folder(folder: str) -> None:
    """Removes a folder that `temporary_folder` has made; any other is left."""
    owned = Path(folder).parent
    if owned.name.startswith(_PREFIX) and Path(folder).name == _RAYS:
        shutil.rmtree(owned, ignore_errors=True)
