"""A real S3 server (moto's) for the length of a `with` block, and a look into it that is not ours."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIATESTS",
    "AWS_SECRET_ACCESS_KEY": "a-secret-that-nobody-may-see",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
BUCKET = "studies"


@dataclass(frozen=True)
class S3Server:
    """A server with the bucket `studies`.

    Attributes:
        process: Its process.
        endpoint: HOST:PORT.
        client: Of boto3.
        log: Where the server writes a line a request.
    """

    process: subprocess.Popen[bytes]
    endpoint: str
    client: Any
    log: Path

    def address(self, folder: str, bucket: str = BUCKET) -> str:
        """A folder in the bucket, as a user writes it."""
        return f"s3://{bucket}/{folder}?scheme=http&endpoint_override={self.endpoint}"

    def keys(self, prefix: str = "") -> list[str]:
        """All objects under a prefix, without Arrow's empty markers of folders."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        found = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [key for key in found if not key.endswith("/")]

    def get(self, key: str) -> bytes:
        """An object."""
        return bytes(self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def reads(self, prefix: str) -> int:
        """How often the content of objects under a prefix was read."""
        line = rf'GET /{BUCKET}/{re.escape(prefix)}\S* HTTP/1\.1\S*" 20[06] '  # colours are among the \S
        return len(re.findall(line, self.log.read_text()))

    def put(self, key: str, content: bytes) -> None:
        """Writes an object."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuses all requests, since the key that tests sign them with belongs to nobody."""
        self._authenticate_after("0")
        try:
            yield
        finally:
            self._authenticate_after("inf")

    def _authenticate_after(self, requests: str) -> None:
        address = f"http://{self.endpoint}/moto-api/reset-auth"
        request = urllib.request.Request(address, requests.encode(), {"Content-Type": "text/plain"}, method="POST")
        urllib.request.urlopen(request).close()


@contextlib.contextmanager
def s3_server(host: str = "127.0.0.1", within: Sequence[str] = ()) -> Iterator[S3Server]:
    """Starts a server on a free port and stops it at the end; the environment holds credentials meanwhile.

    Args:
        host: Address to listen on.
        within: Words before its command, such as those of `Hosts.within`.

    Raises:
        RuntimeError: If it does not respond within two minutes.
    """
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch, socket.socket() as probe:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        log = Path(folder, "log")
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*within, sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)],
                stdout=file,
                stderr=file,
                env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            )
        try:
            _wait(process, host, port, log)
            endpoint = f"{host}:{port}"
            client = boto3.client("s3", endpoint_url=f"http://{endpoint}")
            client.create_bucket(Bucket=BUCKET)
            yield S3Server(process, endpoint, client, log)
        finally:
            process.terminate()
            process.wait(30)


def _wait(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> None:
    for _ in range(480):
        with contextlib.suppress(OSError):
            socket.create_connection((host, port)).close()
            return
        if process.poll() is not None:
            break
        time.sleep(0.25)
    raise RuntimeError(log.read_text()[-2000:])
