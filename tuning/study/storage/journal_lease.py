"""The lease on a study that is kept in its directory: the file `driver.json`."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from antisample.errors import DataError
from antisample.storage.atomic import atomic_write
from antisample.storage.regular_files import read_regular
from tuning.study.storage.kernel_lock import KernelLock
from tuning.study.storage.lease_owner import LeaseOwner

_PAUSES_S = (0.2, 1.0)
_MOST_BYTES = 1_000_000


class LeaseFile:
    """Keeps the lease in a file. See `LeaseBackend`.

    Args:
        directory: Of the study; made when the lease is taken.
    """

    def __init__(self, directory: Path) -> None:
        self.where = str(directory)
        self._path = directory / "driver.json"

    def read(self) -> LeaseOwner | None:
        """See `LeaseBackend`. A file that cannot be read says nothing about who holds the lease."""
        try:
            content = self._content()
            # A lease from before it named its machine is taken for one of this machine.
            return LeaseOwner(**json.loads(content)) if content is not None else None
        except (ValueError, TypeError):
            return None

    def _content(self, pauses_s: Sequence[float] = _PAUSES_S) -> bytes | None:
        """What the file holds, None if it is missing; a network file system may fail for a moment only."""
        try:
            return read_regular(self._path, inside=self._path.parent, most=_MOST_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if not pauses_s:
                raise DataError(f"{self._path}: cannot be read ({error.strerror}).") from error
        time.sleep(pauses_s[0])
        return self._content(pauses_s[1:])

    def acquire(self, mine: LeaseOwner) -> LeaseOwner | None:
        """See `LeaseBackend`."""
        with self._as_data_error():
            self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked() as holder:
            if holder is not None:
                holder.refuse_if_alive(self.where)
            self._write(mine)
            return holder

    def heartbeat(self, mine: LeaseOwner) -> None:
        """See `LeaseBackend`."""
        # A full disk may have room at the next beat, a file system that is away be back; nothing else depends on it.
        with suppress(DataError), self._locked() as holder:
            if holder is not None and holder.token == mine.token:
                self._write(mine)

    def release(self, token: str) -> None:
        """See `LeaseBackend`. Where it cannot be done the lease ends with this process."""
        # The directory of a study that could not be started is gone.
        with suppress(DataError), self._locked() as holder:
            if holder is not None and holder.token == token:
                self._path.unlink()

    @contextmanager
    def _locked(self) -> Iterator[LeaseOwner | None]:
        """Keeps everyone else from changing the lease; yields who holds it."""
        with self._as_data_error(), KernelLock(self._path.with_suffix(".lock")):
            yield self.read()

    @contextmanager
    def _as_data_error(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataError(f"{self.where}: cannot be written ({error.strerror}).") from error

    def _write(self, holder: LeaseOwner) -> None:
        with atomic_write(self._path) as unfinished:
            unfinished.write_text(json.dumps(asdict(holder.beating())))
