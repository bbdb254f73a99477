"""Where files are kept that more than one machine needs: a folder, perhaps shared, or an object store.

What is read from either is checked by whoever reads it, and never executed.
"""

import contextlib
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import AfterValidator

from antisample.errors import ConfigError, DataError
from antisample.storage.atomic import atomic_write
from antisample.storage.object_store import Address, ObjectStore
from antisample.storage.regular_files import check_inside, read_regular
from antisample.validation.settings import unusable


class FileStore(Protocol):
    """Files by name; a name is relative and its parts are separated by `/`.

    A file appears whole or not at all. None means that there is no such file, for sure; where an object
    store does not answer or refuses access nothing is known, and that is a `StorageError`.

    Attributes:
        address: Where it is, for messages.
    """

    address: str

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Writes a file in one step, over an older one."""

    def delete(self, name: str) -> None:
        """Deletes a file; no matter if there is none."""

    def names(self, folder: str) -> list[str]:
        """Names, without the folder, of the files in a folder, sorted; none if it does not exist."""


class FolderStore:
    """Files in a folder of this machine or of a shared file system.

    Args:
        folder: Made with the first file.
        follow_links: Whether symbolic links in the folder are followed. Not where somebody else may have made it.
    """

    def __init__(self, folder: Path, *, follow_links: bool = True) -> None:
        self.address = str(folder)
        self._folder = folder
        self._inside = None if follow_links else folder

    def read(self, name: str) -> bytes | None:
        """See `FileStore`; a file that cannot be read is a DataError."""
        try:
            return read_regular(self._folder / name, inside=self._inside)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise DataError(f"{self._folder / name}: cannot be read ({error.strerror or error}).") from error

    def write(self, name: str, content: bytes) -> None:
        """See `FileStore`; a folder that cannot be written to is a DataError."""
        with atomic_write(self._folder / name, inside=self._inside) as unfinished:
            unfinished.write_bytes(content)

    def delete(self, name: str) -> None:
        """See `FileStore`; raises OSError where it cannot be deleted."""
        path = self._folder / name
        if self._inside is not None:
            check_inside(path, self._inside)
        with contextlib.suppress(NotADirectoryError):
            path.unlink(missing_ok=True)

    def names(self, folder: str) -> list[str]:
        """See `FileStore`."""
        place = self._folder / folder
        if self._inside is not None:
            check_inside(place / "file", self._inside)
        return sorted(path.name for path in place.glob("[!.]*") if path.is_file())


def is_object_store(place: Path | str) -> bool:
    """Whether a place is an address such as s3://bucket/folder, and no path."""
    return isinstance(place, str) and "://" in place


def file_store(place: Path | str, *, follow_links: bool = True) -> FileStore:
    """Opens a store; an object store is not contacted yet.

    Args:
        place: The path of a folder, or the address of an object store; see `ObjectStore`.
        follow_links: See `FolderStore`.

    Raises:
        ConfigError: If the address breaks a rule.
    """
    if not is_object_store(place):
        return FolderStore(Path(place), follow_links=follow_links)
    return ObjectStore(str(place))


def checked_place(place: str) -> str:
    """A place from a configuration: a path is made absolute, an address is checked.

    Raises:
        ValueError: If it is an address that breaks a rule.
    """
    if (rule := unusable(place)) is not None:
        raise ValueError(rule)
    if is_object_store(place):
        try:
            Address.parse(place)
        except ConfigError as error:
            raise ValueError(" ".join(error.problems).removesuffix(".")) from None
        return place
    return str(Path(place).expanduser().resolve())


Place = Annotated[str, AfterValidator(checked_place)]
"""A folder or an object store in a configuration; see `checked_place`."""


def joined_place(place: str, name: str) -> str:
    """A folder in another one, or in an object store, whose options stay at the end of the address."""
    if not is_object_store(place):
        return str(Path(place) / name)
    path, question, options = place.partition("?")
    return f"{path.rstrip('/')}/{name}{question}{options}"
