"""The lease on a study that is kept in its directory: the file `driver.json`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from antisample.errors import DataError
from antisample.files import whole_file
from tuning.journal import KernelLock
from tuning.lease_holder import Holder


class LeaseFile:
    """Keeps the lease in a file. See `LeasePlace`.

    Args:
        directory: Of the study; made when the lease is taken.
    """

    def __init__(self, directory: Path) -> None:
        self.where = str(directory)
        self._path = directory / "driver.json"

    def read(self) -> Holder | None:
        """See `LeasePlace`."""
        try:
            # A lease from before it named its machine is taken for one of this machine.
            return Holder(**json.loads(self._path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def take(self, mine: Holder) -> Holder | None:
        """See `LeasePlace`."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{self.where}: cannot be written ({error.strerror}).") from error
        with self._locked() as holder:
            if holder is not None:
                holder.refuse_if_alive(self.where)
            self._write(mine)
            return holder

    def beat(self, mine: Holder) -> None:
        """See `LeasePlace`."""
        # On a full disk the next beat may find room, and nothing else depends on this one.
        with suppress(DataError, FileNotFoundError), self._locked() as holder:
            if holder is not None and holder.token == mine.token:
                self._write(mine)

    def give_back(self, token: str) -> None:
        """See `LeasePlace`."""
        if not self._path.exists():
            return  # the directory of a study that could not be started is gone
        with self._locked() as holder:
            if holder is not None and holder.token == token:
                self._path.unlink()

    @contextmanager
    def _locked(self) -> Iterator[Holder | None]:
        """Keeps everyone else from changing the lease; yields who holds it."""
        with KernelLock(self._path.with_suffix(".lock")):
            yield self.read()

    def _write(self, holder: Holder) -> None:
        with whole_file(self._path) as unfinished:
            unfinished.write_text(json.dumps(asdict(holder.beating())))
