"""A server that speaks Google Cloud Storage's language, on loopback for the length of a `with` block."""

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BUCKET = "studies"


@dataclass(frozen=True)
class GoogleServer:
    """A server with the bucket `studies`.

    Attributes:
        endpoint: HOST:PORT.
    """

    endpoint: str

    def address(self, folder: str, bucket: str = BUCKET) -> str:
        """A folder in the bucket, as a user writes it."""
        return f"gs://{bucket}/{folder}?scheme=http&anonymous=true&endpoint_override={self.endpoint}"


@contextlib.contextmanager
def google_server() -> Iterator[GoogleServer]:
    """Starts a server on a free port and stops it at the end.

    Raises:
        RuntimeError: If it does not respond within a minute.
    """
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        program = Path(sys.executable).with_name("gcp-storage-emulator")
        words = ["start", "--host=127.0.0.1", f"--port={port}", "--in-memory", f"--default-bucket={BUCKET}"]
        log = Path(folder, "log")
        with log.open("wb") as file:
            process = subprocess.Popen([program, *words], stdout=file, stderr=file, cwd=folder)
        try:
            _wait(port, process, log)
            yield GoogleServer(f"127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.25)
    raise RuntimeError(log.read_text()[-2000:])
