"""One driver at a time: whoever searches a study holds its lease, and what an older driver sends is not written."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from antisample.errors import DataError
from tuning.config.database_address import postgresql_packages
from tuning.config.study import StudyConfig
from tuning.study.storage.journal_lease import LeaseFile
from tuning.study.storage.lease_owner import BEAT_S, LeaseBackend, LeaseLostError, LeaseOwner


def lease_backend(config: StudyConfig) -> LeaseBackend:
    """Where the lease on a study is kept: beside the study itself.

    Raises:
        DataError: If its database cannot be used.
    """
    if config.storage is None:
        return LeaseFile(config.directory)
    with postgresql_packages():  # which a journal does not need
        from tuning.study.storage.postgresql_lease import LeaseTable  # noqa: PLC0415

    return LeaseTable(config.storage, config.name_in_storage())


class Lease:
    """The lease on a study, held by this process.

    Attributes:
        token: Fencing token.
        previous: The holder that died without giving the lease back, if there was one.
    """

    def __init__(self, place: LeaseBackend) -> None:
        self._backend = place
        self._mine = LeaseOwner.this_process()
        self._ended = threading.Event()
        self.token = self._mine.token
        self.previous: LeaseOwner | None = None

    def check(self) -> None:
        """Makes sure that this process still holds the lease.

        Raises:
            LeaseLostError: If another driver has taken over.
            DataError: If that cannot be found out.
        """
        holder = self._backend.read()
        if holder is None or holder.token != self.token:
            raise LeaseLostError(f"{self._backend.where}: another driver has taken over ({holder or 'and is done'}).")

    def is_held(self) -> bool:
        """Whether this process holds the lease for certain."""
        try:
            self.check()
        except DataError:
            return False
        return True

    def note_ray(self, session: str) -> None:
        """Keeps the folder of the Ray session, by which a later driver finds processes left behind."""
        self._mine = replace(self._mine, ray_session=session)
        self._backend.heartbeat(self._mine)

    def acquire(self) -> None:
        """Takes the lease.

        Raises:
            ConfigError: If a living driver holds it.
        """
        self.previous = self._backend.acquire(self._mine)
        threading.Thread(target=self._keep_beating, name="lease", daemon=True).start()

    def release(self) -> None:
        """Ends the lease, if it is still held."""
        self._ended.set()
        self._backend.release(self.token)

    def _keep_beating(self) -> None:
        while not self._ended.wait(BEAT_S):
            self._backend.heartbeat(self._mine)


def read_lease_owner(directory: Path) -> LeaseOwner | None:
    """Who holds the lease on a study that keeps it in its directory; see `LeaseBackend.read`."""
    return LeaseFile(directory).read()


@contextmanager
def held_lease(place: LeaseBackend) -> Iterator[Lease]:
    """Holds the lease on a study for the length of a block, and first ends what a dead driver left running.

    Args:
        place: See `lease_backend`.

    Raises:
        ConfigError: If a living driver holds it.
        DataError: If it cannot be kept there.
    """
    lease = Lease(place)
    lease.acquire()
    try:
        if lease.previous is not None:
            end_orphans(lease.previous)
        yield lease
    finally:
        lease.release()


def end_orphans(holder: LeaseOwner) -> int:
    """Ends the Ray processes that a dead driver of this machine left behind.

    Returns:
        How many there were.
    """
    if not holder.ray_session or not holder.is_here():
        return 0
    left = [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(holder.ray_session in argument for argument in process.info["cmdline"] or ())
    ]
    for process in left:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(left, timeout=5)
    for process in alive:
        process.kill()
    return len(left)
