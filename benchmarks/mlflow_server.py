"""A real MLflow server on loopback for the length of a `with` block."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen


@contextlib.contextmanager
def mlflow_server(folder: Path, port: int | None = None, store: str | None = None) -> Iterator[str]:
    """Starts `mlflow server` and stops it at the end, however it ends.

    Args:
        folder: For the database, artifacts and log.
        port: A free one by default.
        store: Backend store; SQLite in `folder` by default.

    Yields:
        Its address.

    Raises:
        RuntimeError: If it does not respond within two minutes.
    """
    if port is None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    command = [Path(sys.executable).with_name("mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", store or f"sqlite:///{folder / 'server.db'}", "--workers", "1"]
    command += ["--artifacts-destination", str(folder / "server-artifacts")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("a") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, start_new_session=True, env=environment
        )
    try:
        for _ in range(240):
            with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
                if answer.status == 200:
                    break
            time.sleep(0.5)
        else:
            raise RuntimeError((folder / "server.log").read_text()[-2000:])
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
