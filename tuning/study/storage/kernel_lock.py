"""The lock file of a study's journal, lease or deliveries."""

import fcntl
import os
from pathlib import Path
from typing import IO

from antisample.storage.regular_files import open_regular


class KernelLock:
    """An advisory lock that the kernel releases when its process dies, however it dies. Optuna asks for its methods.

    Args:
        path: The lock file; made empty if it is not there, never written to, and not followed if it is a link.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> bool:
        """Waits for the lock.

        Raises:
            OSError: If the file cannot be made or opened, or is something else; see `open_regular`.
        """
        self._file = open_regular(self._path, os.O_RDWR | os.O_CREAT, inside=self._path.parent)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Gives the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None
