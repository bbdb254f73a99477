"""Writing files so that nobody ever finds half of one."""

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from antisample.errors import DataError
from antisample.storage.regular_files import check_inside

_CHUNK = 65536


@contextmanager
def atomic_write(path: Path, *, inside: Path | None = None) -> Iterator[Path]:
    """A place to write to that becomes `path` when the block succeeds: a reader finds the old file or the new one.

    A symbolic link at `path` is replaced, never followed.

    Args:
        path: The file to replace; its folder is made.
        inside: A folder that the file lies in, below which no symbolic link is followed. None follows links.

    Yields:
        A path beside it, for the block to write to.

    Raises:
        DataError: If it cannot be written.
    """
    with _beside(path, inside) as unfinished:
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
def _beside(path: Path, inside: Path | None = None) -> Iterator[Path]:
    """A path beside a file, for what becomes that file; what is left there is deleted."""
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        if inside is not None:
            check_inside(path, inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from error
    finally:
        with suppress(OSError):  # a folder that turned read-only keeps it
            unfinished.unlink()


def check_writable(folder: Path, names: Iterable[str] = (), n_bytes: int = 0) -> None:
    """Finds out, before long work, whether files can be written to a folder: by writing some, which are deleted.

    Args:
        folder: May not exist yet, and is not made.
        names: Of the files that are to be written there.
        n_bytes: How much is to be written; at least 64 KiB are tried.

    Raises:
        DataError: If it cannot be made or written to, or there is no room.
    """
    path = folder.absolute()
    try:
        nearest = next(place for place in (path, *path.parents) if os.path.lexists(place))
        if nearest.is_symlink() and not nearest.exists():
            raise DataError(
                f"{folder}: cannot be written ({nearest} is a link to {nearest.readlink()}, which does not exist)."
            )
        if not nearest.is_dir():
            raise DataError(f"{folder}: cannot be written ({nearest} is a file).")
        longest = os.pathconf(nearest, "PC_NAME_MAX")
        for part in path.relative_to(nearest).parts:
            if len(os.fsencode(part)) > longest:
                raise DataError(
                    f"{folder}: cannot be written (a name of {len(os.fsencode(part))} bytes is too long)."
                )
        for name in names if nearest == path else ():
            if (path / name).is_dir():
                raise DataError(f"{path / name}: cannot be written (it is a folder).")
        _try_to_write(nearest, max(n_bytes, _CHUNK))
    except OSError as error:
        room = (
            f", {n_bytes / 1e6:.1f} MB are needed" if error.errno in (errno.ENOSPC, errno.EDQUOT) and n_bytes else ""
        )
        raise DataError(f"{folder}: cannot be written ({error.strerror or error}{room}).") from error


def _try_to_write(folder: Path, n_bytes: int) -> None:
    """Writes a file, as far as the disk itself, and deletes it."""
    chunk = os.urandom(_CHUNK)  # some file systems keep zeros in no room at all
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(-(-n_bytes // _CHUNK)):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
