"""The secret of a Ray cluster: one token in a file that only its owner reads."""

import os
import secrets
import stat
from pathlib import Path

from antisample.storage.regular_files import read_regular
from cluster.environment import reread_environment
from cluster.errors import ClusterError

_MOST_BYTES = 10_000


def make_token(path: Path) -> Path:
    """Makes a token where there is none.

    Args:
        path: Of the file; `~` is the home folder.

    Returns:
        The absolute path.

    Raises:
        ClusterError: If the file cannot be written, or others may read it.
    """
    path = path.expanduser().absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123  (0600 from the first moment)
            file.write(secrets.token_hex(32))
    except FileExistsError:
        return checked_token(path)
    except OSError as error:
        raise ClusterError([f"{path}: cannot be written ({error.strerror})."]) from error
    return path


def checked_token(path: Path) -> Path:
    """Finds out whether a token file is one that only its owner reads.

    Returns:
        The absolute path.

    Raises:
        ClusterError: If there is no token, or others may read it.
    """
    path = path.expanduser().absolute()
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        token = read_regular(path, most=_MOST_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ClusterError([f"{path}: the cluster's token cannot be read ({error})."]) from error
    if mode & 0o077:
        raise ClusterError([f"{path}: the token must have mode 0600, but has {mode:04o}; run `chmod 600 {path}`."])
    if len(token) < 32:
        raise ClusterError([f"{path}: the token must have at least 32 characters, but has {len(token)}."])
    return path


def use_token(path: Path) -> None:
    """Has this process, and all it starts, show the token to Ray, which is told again: it has read its settings.

    Args:
        path: Absolute path of the token's file.
    """
    os.environ.pop("RAY_AUTH_TOKEN", None)
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}
    reread_environment()
