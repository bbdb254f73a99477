"""What can lie where a regular file is expected, and texts and numbers that are odd anywhere."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path


def _gone(path: Path) -> Path:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def canary(path: Path) -> Path:
    """The user's folder beside `work`, from any path below it."""
    return next(folder / "canary" for folder in path.absolute().parents if (folder / "canary").is_dir())


def _socket(path: Path) -> None:
    listener, before = socket.socket(socket.AF_UNIX), Path.cwd()
    os.chdir(path.parent)  # names of sockets are short
    try:
        listener.bind(path.name)
    finally:
        os.chdir(before)
        listener.close()


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**36)


KINDS: dict[str, Callable[[Path], object]] = {
    "a link": lambda path: path.symlink_to(canary(path) / "secret.txt"),
    "a dangling link": lambda path: path.symlink_to(canary(path) / "new"),
    "a link to passwd": lambda path: path.symlink_to("/etc/passwd"),
    "a link to zero": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a hard link": lambda path: path.hardlink_to(canary(path) / "secret.txt"),
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "a folder": Path.mkdir,
    "a sparse file": _sparse,
    "bytes": lambda path: path.write_bytes(bytes(range(256)) * 8),
    "no UTF-8": lambda path: path.write_bytes("name: caf\xe9\n".encode("latin-1")),
    "UTF-16": lambda path: path.write_bytes("name: made\n".encode("utf-16")),
    "empty": Path.touch,
    "null bytes": lambda path: path.write_bytes(bytes(5000)),
    "nested lists": lambda path: path.write_text("[" * 100_000),
    "nested keys": lambda path: path.write_text('{"a":' * 100_000),
}


def replace(path: Path, kind: str) -> None:
    """Puts something else in place of a file or folder."""
    KINDS[kind](_gone(path))


TEXTS = {
    "escapes": "\x1b[31mred\x1b]0;title\x07\x08",
    "C1": "\x9b31mred\x85next",
    "bidi": "\u202egnp.exe\u2066",
    "markup": "[bold]x[/] [link=file:///etc/passwd]y[/link] <script>alert(1)</script> ![x](http://127.0.0.1/y)",
    "closing markup": "[/] [/nothing] [",
    "lines": "a\n#SBATCH --wrap=id\r\nb\u2028c",
    "null": "a\0b",
    "formula": '=HYPERLINK("http://127.0.0.1")',
    "template": "{{ 7 * 7 }} ${HOME} $(id) `id` %s %(x)s {0}",
    "long": "x" * 5000,
    "longest": "y" * 1_000_000,
    "path": "../../../canary/new",
    "absolute": "/etc/passwd",
    "zero": "/dev/zero",
    "module": "canary_module:build",
    "nested module": "canary_module.x:build",
    "system": "os:system",
    "file address": "file:///etc/passwd",
    "flag": "--help",
    "empty": "",
}
NUMBERS = {
    "-1": -1,
    "0": 0,
    "10^30": 10**30,
    "2^63": 2**63,
    "infinity": float("inf"),
    "NaN": float("nan"),
    "1e-320": 1e-320,
}
OTHER = {"none": None, "true": True, "a list": [None], "no list": [], "keys": {"a": [[]]}, "no keys": {}}


def addresses(port: int) -> dict[str, str]:
    """Addresses of a socket that notices whoever connects to it."""
    host = f"127.0.0.1:{port}"
    return {
        "http": f"http://{host}",
        "http with a password": f"http://user:password@{host}/x?PASSWORD=1",
        "postgresql": f"postgresql+psycopg://user@{host}/name",
        "plain postgresql": f"postgresql://user@{host}/name",
        "s3": f"s3://bucket/folder?endpoint_override=http://{host}",
        "mysql": f"mysql://user@{host}/name",
        "databricks": f"databricks://{host}",
        "ray": f"ray://{host}",
    }
