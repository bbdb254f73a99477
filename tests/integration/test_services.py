"""The tracking server of a team: MLflow on a real PostgreSQL, with a password."""

import base64
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import psutil
import pytest
from postgresql import postgresql, programs

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed; `make system` installs it"),
]

PROGRAM = Path(sys.executable).with_name("antisample")


def _status(address: str, password: str | None) -> int:
    request = Request(f"{address}/api/2.0/mlflow/experiments/search", data=b'{"max_results": 1}')
    request.add_header("Content-Type", "application/json")
    if password is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"admin:{password}".encode()).decode())
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status
    except HTTPError as error:
        return error.code


@pytest.mark.parametrize(("end", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_the_server_lets_in_who_knows_the_password_and_nobody_else(tmp_path, end, code):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    secrets = tmp_path / "secrets"
    with postgresql() as place:
        database = f"{place}{'&' if '?' in place else '?'}application_name=a%20b"  # addresses may hold percent signs
        command = [PROGRAM, "cluster", "services", "--database", database, "--artifacts", str(tmp_path / "artifacts")]
        command += ["--folder", str(secrets), "--port", str(port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            address = f"http://127.0.0.1:{port}"
            for _ in range(360):
                try:
                    urlopen(f"{address}/health", timeout=2).close()
                    break
                except (URLError, OSError):
                    assert process.poll() is None, process.stdout.read() + _log(secrets)
                    time.sleep(0.5)
            password = (secrets / "admin-password").read_text()
            seen = [_status(address, shown) for shown in (None, "wrong", password)]
            family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
            words = " ".join(" ".join(psutil.Process(pid).cmdline()) for pid in family)
            process.send_signal(end)
            said = process.communicate(timeout=60)[0]
    assert seen == [401, 401, 200], _log(secrets)
    assert password not in words + said + _log(secrets)
    for path in (secrets / "admin-password", secrets / "flask-secret", secrets / "basic_auth.ini"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert process.returncode == code
    assert not [pid for pid in family if psutil.pid_exists(pid)]


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    command = [
        PROGRAM,
        "cluster",
        "services",
        "--database",
        "sqlite:///x.db",
        "--artifacts",
        "a",
        "--host",
        "0.0.0.0",
    ]
    done = subprocess.run([*command, "--folder", str(tmp_path / "s")], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "postgresql://" in done.stderr
    assert "--allowed-host" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "s").exists()


def _log(folder: Path) -> str:
    path = folder / "server.log"
    return path.read_text() if path.exists() else ""
