"""Who holds the lease on a study, and what a place that keeps leases must be able to do."""

import os
import socket
import time
import uuid
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Protocol

import psutil

from antisample.errors import ConfigError, DataError

BEAT_S = 15.0
EXPIRES_S = 60.0


class LeaseLostError(DataError):
    """Another driver has taken over; this one must write nothing more."""


@cache
def this_machine() -> str:
    """What tells machines of one name apart, as containers often are: the running kernel and its process numbers."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    numbers = Path("/proc/self/ns/pid")
    return f"{boot.read_text().strip()}/{numbers.stat().st_ino}" if boot.exists() and numbers.exists() else ""


@dataclass(frozen=True)
class LeaseOwner:
    """Who searches a study.

    Attributes:
        host: Name of the machine.
        pid: The driver's process.
        process_started: When that process started, seconds since 1970: process numbers are used again.
        since: When it took the lease, seconds since 1970.
        beat: When it last said that it is alive, likewise, by the clock of whoever reads it.
        token: Fencing token, new with every driver.
        ray_session: Folder of its Ray session, empty while it has none.
        machine: See `this_machine`.
    """

    host: str
    pid: int
    process_started: float
    since: float
    beat: float
    token: str
    ray_session: str = ""
    machine: str = field(default_factory=this_machine)

    @classmethod
    def this_process(cls) -> "LeaseOwner":
        """This process, with a token of its own."""
        now = time.time()
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time(), now, now, uuid.uuid4().hex)

    def is_here(self) -> bool:
        """Whether the holder is a process of this machine."""
        return self.host == socket.gethostname() and self.machine == this_machine()

    def is_alive(self) -> bool:
        """Whether the holder still runs: exact on its own machine, by its last sign of life elsewhere."""
        if not self.is_here():
            return time.time() - self.beat < EXPIRES_S
        try:
            process = psutil.Process(self.pid)
            is_it = abs(process.create_time() - self.process_started) < 1
            return is_it and process.status() != psutil.STATUS_ZOMBIE  # dead, and nobody has asked how it ended
        except psutil.NoSuchProcess:
            return False

    def refuse_if_alive(self, where: str) -> None:
        """Refuses a second driver.

        Raises:
            ConfigError: If this holder still runs.
        """
        if self.is_alive():
            raise ConfigError([f"{where} is being searched by {self}; wait for it to finish, or stop it."])

    def beating(self) -> "LeaseOwner":
        """The same holder, alive now."""
        return replace(self, beat=time.time())

    def __str__(self) -> str:
        """For people."""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on {self.host} since {since}"


class LeaseBackend(Protocol):
    """Where the lease on one study is kept; each call is atomic among all drivers.

    Attributes:
        where: Names the study in messages.
    """

    where: str

    def read(self) -> LeaseOwner | None:
        """Who holds the lease, alive or not; None if nobody does.

        Raises:
            DataError: If that cannot be found out.
        """

    def acquire(self, mine: LeaseOwner) -> LeaseOwner | None:
        """Makes `mine` the holder, and returns the one before, who has died; None if nobody held it.

        Raises:
            ConfigError: If a living driver holds it.
            DataError: If it cannot be written.
        """

    def heartbeat(self, mine: LeaseOwner) -> None:
        """Says that the holder is alive, if it still holds the lease; a later beat may make up for one that fails."""

    def release(self, token: str) -> None:
        """Ends the lease, if the driver with this token still holds it."""
