"""What was computed once, kept for later runs: a folder, or an object store with a folder of this machine before it.

Files are named by all that they depend on, so two machines that compute the same do no harm. Where their results may
differ in the last digits, as those of a training do, everybody takes the first one that was kept; see `Cache.add`.
Whoever reads a file checks a digest in it, and computes a damaged one again.
"""

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from antisample.errors import StorageError
from antisample.storage.atomic import write_new
from antisample.storage.file_store import is_object_store
from antisample.storage.object_store import ObjectStore

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cache:
    """Files of a cache.

    Attributes:
        folder: Where they are read and written.
        store: What they are fetched from if they are not in `folder`, and copied to once they are computed.
    """

    folder: Path
    store: ObjectStore | None = None

    @classmethod
    def at(cls, place: Path | str) -> "Cache":
        """Opens a cache.

        Args:
            place: A folder, or the address of an object store. The local folder of the latter lies in
                `$XDG_CACHE_HOME/antisample`, by default `~/.cache/antisample`.
        """
        if not is_object_store(place):
            return cls(Path(place))
        store = ObjectStore(str(place))
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cls(home / "antisample" / hashlib.blake2b(str(place).encode(), digest_size=8).hexdigest(), store)

    def fetch(self, path: Path) -> None:
        """Brings a file of `folder` from the store, if it is there and not here.

        Raises:
            StorageError: If the store cannot be asked.
            DataError: If the folder cannot be written.
        """
        if self.store is not None and not path.exists():
            self.store.download(path.relative_to(self.folder).as_posix(), path)

    def share(self, path: Path) -> None:
        """Copies a file of `folder` to the store; if that fails, a warning says that it is not there."""
        if self.store is None:
            return
        try:
            self.store.upload(path, path.relative_to(self.folder).as_posix())
        except StorageError as error:
            _logger.warning("%s is only kept on this machine. %s", path, error)

    def add(self, path: Path, content: bytes) -> bool:
        """Keeps what was computed, unless somebody else has kept the same file meanwhile.

        In a folder, a shared one too, the first one wins; see `write_new`. An object store can only be looked into
        before it is written to: of two machines that finish within the seconds of an upload, each keeps its own file,
        and the later one's stays in the store. If the store cannot be asked, the file is kept here, with a warning.

        Args:
            path: The file, in `folder`.
            content: All of it.

        Returns:
            Whether it was kept; if not, another one's file is at `path`, which may be damaged.

        Raises:
            DataError: If the folder cannot be written.
        """
        try:
            self.fetch(path)
        except StorageError as error:
            _logger.warning("Could not check whether another machine has made %s. %s", path.name, error)
        if not write_new(path, content):
            return False
        self.share(path)
        return True
