"""Writing files so that nobody ever finds half of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from antisample.errors import DataError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place to write to that becomes `path` when the block succeeds: a reader finds the old file or the new one.

    Args:
        path: The file to replace; its folder is made.

    Yields:
        A path beside it, for the block to write to.

    Raises:
        DataError: If it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from error
    finally:
        if unfinished.is_file():
            unfinished.unlink()


def check_writable(folder: Path) -> None:
    """Finds out, before long work and without making anything, whether files can be written to a folder.

    Args:
        folder: May not exist yet.

    Raises:
        DataError: If it cannot be made or written to.
    """
    path = folder.absolute()
    nearest = next(place for place in (path, *path.parents) if place.exists())
    if not nearest.is_dir():
        raise DataError(f"{folder}: cannot be written ({nearest} is a file).")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise DataError(f"{folder}: cannot be written ({nearest} is read-only).")
