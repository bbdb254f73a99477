"""A tracking server for a team that has none: MLflow on PostgreSQL, with a password."""

import configparser
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import NoReturn

from cluster.errors import ClusterError
from cluster.token import make_token

ADMIN = "admin"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class TrackingServer:
    """An MLflow server that asks for a password.

    Attributes:
        folder: Its secrets, settings and log; made with mode 0700.
        database: PostgreSQL for runs and users, as SQLAlchemy writes addresses.
        artifacts: Where artifacts go: a shared folder, or s3:// or gs://.
        host: Address to listen on; loopback unless the team is to reach it.
        port: Port to listen on.
        allowed_hosts: Names by which others reach it, for a host that is not loopback; MLflow refuses other ones.
    """

    folder: Path
    database: str
    artifacts: str
    host: str = "127.0.0.1"
    port: int = 5000
    allowed_hosts: tuple[str, ...] = ()

    @property
    def password_file(self) -> Path:
        """Holds the password of the user `admin`, mode 0600."""
        return self.folder / "admin-password"

    @property
    def address(self) -> str:
        """For `--tracking-uri`."""
        return f"http://{self.host}:{self.port}"

    def problems(self) -> list[str]:
        """Everything that keeps it from starting."""
        faults = []
        if not self.database.startswith(("postgresql://", "postgresql+psycopg://")):
            faults.append("`--database` must be postgresql://HOST/NAME or postgresql+psycopg://HOST/NAME.")
        faults += [
            f"`antisample cluster services` needs {package}: pip install 'antisample[services]'."
            for package, module in (("Flask-WTF", "flask_wtf"), ("psycopg", "psycopg"))
            if find_spec(module) is None
        ]
        if self.host not in _LOOPBACK and not self.allowed_hosts:
            faults.append(
                "`--allowed-host` is required if `--host` is not loopback: the host names that clients use."
            )
        return faults

    def environment(self) -> dict[str, str]:
        """The server's settings, passed by environment and files since every user sees command lines.

        Raises:
            ClusterError: If the folder cannot be written.
        """
        settings = configparser.ConfigParser(interpolation=None)
        settings["mlflow"] = {
            "default_permission": "READ",
            "database_uri": self._store().replace("%", "%%"),  # MLflow's reader takes % for a reference
            "admin_username": ADMIN,
            "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self.folder / "basic_auth.ini"
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123  (0600 from the first moment)
                settings.write(file)
        except OSError as error:
            raise ClusterError([f"{self.folder}: cannot be written ({error.strerror})."]) from error
        environment = {
            # The password of the database is not sent in clear text to whoever answers in its place.
            **({} if "sslmode=" in self.database else {"PGREQUIREAUTH": "!password,!md5"}),
            "MLFLOW_BACKEND_STORE_URI": self._store(),
            "MLFLOW_ARTIFACTS_DESTINATION": self.artifacts,
            "MLFLOW_AUTH_CONFIG_PATH": str(path),
            "MLFLOW_AUTH_ADMIN_PASSWORD": make_token(self.password_file).read_text(),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": make_token(self.folder / "flask-secret").read_text(),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        if self.allowed_hosts:
            environment["MLFLOW_SERVER_ALLOWED_HOSTS"] = ",".join(self.allowed_hosts)
        return {**os.environ, **environment}

    def _store(self) -> str:
        return self.database.replace("postgresql://", "postgresql+psycopg://", 1)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


@contextmanager
def running(server: TrackingServer) -> Iterator["subprocess.Popen[bytes]"]:
    """Has the server running for the length of a `with` block, which SIGTERM and a closed terminal end, too.

    Yields:
        Its process, which may end by itself; what it says is in `server.log` in its folder.

    Raises:
        ClusterError: With everything that keeps it from starting.
    """
    problems = server.problems()
    if problems:
        raise ClusterError(problems)
    environment = server.environment()
    command = [str(Path(sys.executable).with_name("mlflow")), "server", "--app-name", "basic-auth"]
    command += ["--host", server.host, "--port", str(server.port), "--workers", "2"]
    with (server.folder / "server.log").open("a") as log:
        process = subprocess.Popen(  # noqa: S603  (MLflow's own program)
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    before = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield process
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
