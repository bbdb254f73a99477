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
    with _beside(path) as unfinished:
        yield unfinished
        unfinished.replace(path)


def write_new(path: Path, content: bytes) -> bool:
    """Writes a file in one step unless it is there already; of several that try at once, one succeeds.

    On a file system without hard links, two that try at the same moment may both succeed, and the later file stays.

    Args:
        path: The file; its folder is made.
        content: All of it.

    Returns:
        Whether it was written.

    Raises:
        DataError: If it cannot be written.
    """
    with _beside(path) as unfinished:
        unfinished.write_bytes(content)
        try:
            path.hardlink_to(unfinished)
        except FileExistsError:
            return False
        except OSError:
            if path.exists():
                return False
            unfinished.replace(path)
        return True


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A path beside a file, for what becomes that file; what is left there is deleted."""
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
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
