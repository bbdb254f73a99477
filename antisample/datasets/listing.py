"""What lies in a folder, and whether its names can be written down later."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from antisample.errors import DataError

Entry = os.DirEntry[str]


def visible(folder: str | os.PathLike[str]) -> list[Entry]:
    """Lists a folder by name, without hidden entries.

    Entries know what they are without a look at each file: half a million would take a network drive minutes.

    Raises:
        DataError: If it cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        refuse_broken_link(folder)
        raise DataError(f"{printable(folder)}: cannot be listed ({error.strerror or error}).") from error


def is_folder(entry: Entry) -> bool:
    """Whether an entry is a folder or a link to one; a link that leads nowhere is neither folder nor file."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_file(entry: Entry) -> bool:
    """Whether an entry is a file or a link to one."""
    try:
        return entry.is_file()
    except OSError:
        return False


def refuse_broken_link(path: str | os.PathLike[str]) -> None:
    """Refuses a link that leads nowhere, or in a circle.

    Raises:
        DataError: If it is one.
    """
    link = Path(path)
    if link.is_symlink() and not os.path.exists(link):  # noqa: PTH110  (Path.exists raises where links go in circles)
        raise DataError(f"{printable(link)}: is a broken link (to {printable(link.readlink())}).")


def describe(entry: Entry) -> str:
    """What an entry is: a file, a folder, or something else.

    Raises:
        DataError: If it is a broken link.
    """
    refuse_broken_link(entry)
    return "a folder" if is_folder(entry) else "a file" if is_file(entry) else "neither a file nor a folder"


def counted(entries: Sequence[Entry]) -> str:
    """How many folders and files there are, `2 folders and 1 file`."""
    folders = sum(map(is_folder, entries))
    files = len(entries) - folders
    parts = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((folders, "folder"), (files, "file")) if n]
    return " and ".join(parts) or "an empty folder"


def refuse_unwritable_names(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Refuses file names that no cache, report or tracking server could hold.

    Raises:
        DataError: At the first name that is not UTF-8.
    """
    for path in paths:
        if not is_unicode(Path(path).name):
            raise DataError(f"{printable(path)}: the name must be valid UTF-8; rename it.")


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8; undecodable bytes of a file name cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(path: str | os.PathLike[str]) -> str:
    """A path for a message; bytes that are not UTF-8 are escaped, so that every terminal can print it."""
    return os.fspath(path).encode(errors="backslashreplace").decode()


def enumerated(paths: Iterable[Path | str], root: Path, most: int = 5) -> str:
    """Paths within a folder for a message, `a, b and 3 more`."""
    names = [printable(os.path.relpath(path, root)) for path in paths]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
