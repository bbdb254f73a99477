"""One driver at a time: whoever searches a study holds its lease, and what an older driver sends is not written."""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from antisample.errors import ConfigError, DataError
from antisample.files import whole_file
from tuning.journal import KernelLock

BEAT_S = 15.0
EXPIRES_S = 60.0


class LeaseLostError(DataError):
    """Another driver has taken over; this one must write nothing more."""


@dataclass(frozen=True)
class Holder:
    """Who searches a study.

    Attributes:
        host: Name of the machine.
        pid: The driver's process.
        process_started: When that process started, seconds since 1970: process numbers are used again.
        since: When it took the lease, seconds since 1970.
        beat: When it last said that it is alive, likewise.
        token: Fencing token, new with every driver.
        ray_session: Folder of its Ray session, empty while it has none.
    """

    host: str
    pid: int
    process_started: float
    since: float
    beat: float
    token: str
    ray_session: str = ""

    def is_alive(self) -> bool:
        """Whether the holder still runs: exact on its own machine, by its last sign of life elsewhere."""
        if self.host != socket.gethostname():
            return time.time() - self.beat < EXPIRES_S
        try:
            return abs(psutil.Process(self.pid).create_time() - self.process_started) < 1
        except psutil.NoSuchProcess:
            return False

    def __str__(self) -> str:
        """For people."""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on {self.host} since {since}"


class Lease:
    """The lease on a study, held by this process.

    Attributes:
        token: Fencing token.
        previous: The holder that died without giving the lease back, if there was one.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "driver.json"
        now = time.time()
        started = psutil.Process().create_time()
        self._mine = Holder(socket.gethostname(), os.getpid(), started, now, now, uuid.uuid4().hex)
        self._ended = threading.Event()
        self.token = self._mine.token
        self.previous: Holder | None = None

    def check(self) -> None:
        """Makes sure that this process still holds the lease.

        Raises:
            LeaseLostError: If another driver has taken over.
        """
        holder = read_holder(self._path.parent)
        if holder is None or holder.token != self.token:
            raise LeaseLostError(f"{self._path.parent}: another driver has taken over ({holder or 'and is done'}).")

    def note_ray(self, session: str) -> None:
        """Keeps the folder of the Ray session, by which a later driver finds processes left behind."""
        self._mine = Holder(**{**asdict(self._mine), "ray_session": session})
        self._beat()

    def take(self) -> None:
        """Takes the lease.

        Raises:
            ConfigError: If a living driver holds it.
        """
        with self._locked() as holder:
            if holder is not None and holder.is_alive():
                raise ConfigError([f"{self._path.parent} is being searched by {holder}; wait for it, or stop it."])
            self.previous = holder
            self._write()
        threading.Thread(target=self._keep_beating, name="lease", daemon=True).start()

    def give_back(self) -> None:
        """Ends the lease, if it is still held."""
        self._ended.set()
        if not self._path.exists():
            return  # the directory of a study that could not be started is gone
        with self._locked() as holder:
            if holder is not None and holder.token == self.token:
                self._path.unlink()

    def _keep_beating(self) -> None:
        while not self._ended.wait(BEAT_S):
            self._beat()

    def _beat(self) -> None:
        # On a full disk the next beat may find room, and nothing else depends on this one.
        with suppress(DataError, FileNotFoundError), self._locked() as holder:
            if holder is not None and holder.token == self.token:
                self._write()

    @contextmanager
    def _locked(self) -> Iterator[Holder | None]:
        """Keeps everyone else from changing the lease; yields who holds it."""
        with KernelLock(self._path.with_suffix(".lock")):
            yield read_holder(self._path.parent)

    def _write(self) -> None:
        self._mine = Holder(**{**asdict(self._mine), "beat": time.time()})
        with whole_file(self._path) as unfinished:
            unfinished.write_text(json.dumps(asdict(self._mine)))


def read_holder(directory: Path) -> Holder | None:
    """Who holds the lease on the study in a directory, alive or not; None if nobody does."""
    try:
        return Holder(**json.loads((directory / "driver.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def held_lease(directory: Path) -> Iterator[Lease]:
    """Holds the lease on a study for the length of a block, and first ends what a dead driver left running.

    Args:
        directory: Of the study; exists.

    Raises:
        ConfigError: If a living driver holds it.
    """
    lease = Lease(directory)
    lease.take()
    try:
        if lease.previous is not None:
            end_orphans(lease.previous)
        yield lease
    finally:
        lease.give_back()


def end_orphans(holder: Holder) -> int:
    """Ends the Ray processes that a dead driver of this machine left behind.

    Returns:
        How many there were.
    """
    if not holder.ray_session or holder.host != socket.gethostname():
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
