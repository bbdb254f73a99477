"""A real PostgreSQL server on loopback for the length of a `with` block."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; Debian keeps them off the path. None if it is not installed."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).resolve().parent] if on_path else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "postgres").exists()), None)


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """Starts a server with an empty database and stops it at the end, however it ends.

    PostgreSQL refuses to run as root, so root runs it as the user that Debian's package makes.

    Yields:
        Its address for SQLAlchemy, with the driver psycopg.

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
        command = [found / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, user=user, cwd=folder, stdout=log, stderr=log)
        try:
            _wait(port, folder / "log")
            yield f"postgresql+psycopg://antisample@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()
            process.wait(30)


def _wait(port: int, log: Path) -> None:
    for _ in range(60):
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(f"host=127.0.0.1 port={port} user=antisample dbname=postgres").close()
            return
        time.sleep(0.5)
    raise RuntimeError(log.read_text()[-2000:])
