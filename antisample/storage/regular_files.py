"""Opening files that somebody else may have put there: only regular files, and none behind a link out of its folder.

The rule is one: below a folder that may have been received, such as that of a study, no symbolic link is followed,
wherever it leads. The folder itself may be reached through links.
"""

import contextlib
import errno
import os
import stat
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import cast

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_ALWAYS = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def open_regular(
    path: Path, flags: int = os.O_RDONLY, *, inside: Path | None = None
) -> BufferedReader | BufferedRandom:
    """Opens a file, if it is a regular one; a pipe or a device is never waited for.

    Args:
        path: The file.
        flags: As `os.open` takes them.
        inside: A folder that the file lies in, below which no symbolic link is followed. None follows links.

    Raises:
        OSError: If it cannot be opened, is no regular file, or lies behind a link; `strerror` says so in words.
    """
    if inside is None or os.path.dirname(path) == os.fspath(inside):  # noqa: PTH120 - four times as fast
        descriptor = _open(str(path), flags, None, path, follow=inside is None)
    else:
        folder = _open_folder(path.parent, inside)
        try:
            descriptor = _open(path.name, flags, folder, path, follow=False)
        finally:
            os.close(folder)
    mode = "rb" if flags & os.O_ACCMODE == os.O_RDONLY else "a+b" if flags & os.O_APPEND else "r+b"
    return cast(BufferedReader | BufferedRandom, os.fdopen(descriptor, mode))


def read_regular(path: Path, *, inside: Path | None = None, most: int | None = None) -> bytes:
    """The content of a file; see `open_regular`.

    Args:
        path: The file.
        inside: See `open_regular`.
        most: Bytes that it has at most; None for any number.

    Raises:
        OSError: Likewise, and if it is larger.
    """
    with open_regular(path, inside=inside) as file:
        if most is not None and os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"it is larger than {most / 1e6:.3g} MB", str(path))
        return _read(file, -1 if most is None else most, path)


def read_start(path: Path, most: int) -> bytes:
    """The first bytes of a file, as many as there are up to `most`; see `open_regular`.

    Raises:
        OSError: Likewise, and if one would have to wait for them.
    """
    with open_regular(path) as file:
        return _read(file, most, path)


def check_inside(path: Path, inside: Path) -> None:
    """Makes sure that what is written to or deleted at a path stays in a folder.

    Args:
        path: What is to be made, replaced or deleted; it and the folders around it need not exist.
        inside: The folder that it lies in.

    Raises:
        OSError: If a folder between the two is a symbolic link.
    """
    for folder in reversed(path.relative_to(inside).parents[:-1]):
        if (inside / folder).is_symlink():
            raise _link(inside / folder)


def check_tree(folder: Path, inside: Path) -> None:
    """Makes sure that a folder holds nothing but folders and regular files, before somebody else's code reads it all.

    Args:
        folder: What is read.
        inside: The folder that it lies in.

    Raises:
        OSError: If a link or anything else is in it, or it lies behind a link itself.
    """
    check_inside(folder / "content", inside)
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if entry.is_symlink():
            raise _link(path)
        if entry.is_dir():
            check_tree(path, inside)
        elif not entry.is_file():
            raise _other_kind(entry.stat().st_mode, path)


def _read(file: BufferedReader | BufferedRandom, most: int, path: Path) -> bytes:
    content: bytes | None = file.read(most)
    if content is None:  # such as the kernel's log, whose reader would wait for what comes next
        raise OSError(errno.EAGAIN, f"{path.name} contains nothing that can be read without blocking", str(path))
    return content


def _open_folder(folder: Path, inside: Path) -> int:
    """A descriptor of a folder that is `inside` or lies below it."""
    descriptor = os.open(inside, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in folder.relative_to(inside).parts:
        above = descriptor
        try:
            if part == ".." or _is_link(part, above):
                raise _link(folder)
            descriptor = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=above)
        finally:
            os.close(above)
    return descriptor


def _open(name: str, flags: int, folder: int | None, path: Path, *, follow: bool) -> int:
    try:
        descriptor = os.open(name, flags | _ALWAYS | (0 if follow else os.O_NOFOLLOW), 0o666, dir_fd=folder)
    except OSError as error:
        with contextlib.suppress(FileNotFoundError):
            _check_kind(os.stat(name, dir_fd=folder, follow_symlinks=follow).st_mode, path)
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        _check_kind(os.fstat(descriptor).st_mode, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_kind(mode: int, path: Path) -> None:
    if stat.S_ISLNK(mode):
        raise _link(path)
    if not stat.S_ISREG(mode):
        raise _other_kind(mode, path)


def _is_link(name: str, folder: int | None) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _link(path: Path) -> OSError:
    return OSError(errno.ELOOP, f"{path.name} is a symbolic link, and links are not followed here", str(path))


def _other_kind(mode: int, path: Path) -> OSError:
    kind = _KINDS.get(stat.S_IFMT(mode), "something else")
    number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    return OSError(number, f"{path.name} is {kind}, not a regular file", str(path))
