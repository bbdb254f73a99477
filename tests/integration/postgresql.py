"""A real PostgreSQL server on loopback for the length of a `with` block."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; Debian keeps them off the path. None if it is not installed."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).resolve().parent] if on_path else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "postgres").exists()), None)


class Server:
    """A server that runs on loopback.

    Attributes:
        address: Of its empty database, for SQLAlchemy, with the driver psycopg.
        port: Where it listens.
    """

    def __init__(self, folder: Path, port: int, user: str | None) -> None:
        self.port = port
        self.address = f"postgresql+psycopg://antisample@127.0.0.1:{port}/postgres"
        self._folder, self._user = folder, user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        found = programs()
        assert found is not None
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-k", self._folder]
        # Tests end processes, not the machine: what the kernel has is safe.
        command = [found / "postgres", "-D", self._folder / "data", *where, "-c", "fsync=off"]
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(command, user=self._user, cwd=self._folder, stdout=log, stderr=log)
        _wait(self.port, self._folder / "log")

    def stop(self) -> None:
        """Ends it, with all connections; what was committed is kept."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def add_user(self, name: str, password: str) -> str:
        """Makes a user of the database who needs a password; returns the address without it."""
        rules = self._folder / "data" / "pg_hba.conf"
        rules.write_text(f"host all {name} all scram-sha-256\n{rules.read_text()}")
        plain = self.address.replace("+psycopg", "")
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {name} LOGIN SUPERUSER PASSWORD '{password}'")
            connection.execute("SELECT pg_reload_conf()")
        return plain.replace("antisample@", f"{name}@")

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stops all its processes in their tracks for the length of a `with` block."""
        assert self._process is not None
        main = psutil.Process(self._process.pid)
        stopped = [main, *main.children(recursive=True)]
        for process in stopped:
            process.suspend()
        try:
            yield
        finally:
            for process in reversed(stopped):
                process.resume()


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """The address of a server for the length of a `with` block; see `postgresql_server`."""
    with postgresql_server() as server:
        yield server.address


@contextlib.contextmanager
def postgresql_server() -> Iterator[Server]:
    """Starts a server with an empty database and stops it at the end, however it ends.

    PostgreSQL refuses to run as root, so root runs it as the user that Debian's package makes.

    Raises:
        RuntimeError: If it does not answer within half a minute.
    """
    found = programs()
    if found is None:
        raise RuntimeError("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name, socket.socket() as probe:
        folder = Path(name)
        user = "postgres" if os.geteuid() == 0 else None
        if user is not None:
            os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        data = folder / "data"
        subprocess.run(
            [found / "initdb", "-D", data, "-U", "antisample", "-A", "trust", "--no-sync"],
            check=True, capture_output=True, user=user, cwd=folder,
        )  # fmt: skip
        server = Server(folder, port, user)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _wait(port: int, log: Path) -> None:
    for _ in range(60):
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(f"host=127.0.0.1 port={port} user=antisample dbname=postgres").close()
            return
        time.sleep(0.5)
    raise RuntimeError(log.read_text()[-2000:])
