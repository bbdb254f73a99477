"""A real PostgreSQL server for the length of a `with` block."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
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
    """A server that lets in everybody who reaches it.

    Attributes:
        address: Of its empty database, for SQLAlchemy, with the driver psycopg.
        host: Where it listens.
        port: Where it listens.
    """

    def __init__(self, folder: Path, host: str, port: int, words: Sequence[str]) -> None:
        self.host, self.port = host, port
        self.address = f"postgresql+psycopg://antisample@{host}:{port}/postgres"
        self._folder, self._words = folder, words
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        found = programs()
        assert found is not None
        where = ["-h", self.host, "-p", str(self.port), "-k", self._folder]
        # Tests end processes, not the machine: what the kernel has is safe.
        settings = ["-c", "fsync=off", "-c", "max_connections=400"]
        command = [*self._words, found / "postgres", "-D", self._folder / "data", *where, *settings]
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        _wait(f"host={self.host} port={self.port} user=antisample dbname=postgres", self._folder / "log")

    def stop(self) -> None:
        """Ends it, with all connections; what was committed is kept."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def add_database(self, name: str) -> str:
        """Makes another database; returns its address."""
        plain = self.address.replace("+psycopg", "")
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return plain.replace("/postgres", f"/{name}")

    def add_user(self, name: str, password: str, asked: str = "scram-sha-256") -> str:
        """Makes a user of the database who is asked for a password in a way; returns the address without it."""
        rules = self._folder / "data" / "pg_hba.conf"
        rules.write_text(f"host all {name} all {asked}\n{rules.read_text()}")
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
def postgresql_server(host: str = "127.0.0.1", within: Sequence[str] = ()) -> Iterator[Server]:
    """Starts a server with an empty database and stops it at the end, however it ends.

    PostgreSQL refuses to run as root, so root runs it as the user that Debian's package makes.

    Args:
        host: Address to listen on.
        within: Words before its command, such as those of `Hosts.within`; it takes the standard port then.

    Raises:
        RuntimeError: If it does not respond within half a minute.
    """
    found = programs()
    if found is None:
        raise RuntimeError("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        folder = Path(name)
        words: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            words = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        data = folder / "data"
        initdb = [*words, found / "initdb", "-D", data, "-U", "antisample", "-A", "trust", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder)
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")
        server = Server(folder, host, 5432 if within else _free_port(), [*within, *words])
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(connection: str, log: Path) -> None:
    for _ in range(60):
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(connection).close()
            return
        time.sleep(0.5)
    raise RuntimeError(log.read_text()[-2000:])
