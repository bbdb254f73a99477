"""Runs hostile inputs through the command line, and says what each has done that it must not do."""

import json
import os
import re
import socket
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECRET = "A file of the user's that nothing received may read or change."
NOBODY = 65534
_TIMEOUT_S = 30
_MOST_LINES = 30  # a problem a line
_WRITTEN = {
    "report": ("work/made/",),
    "unlearn": ("work/out/", "work/out", "work/runs"),
    "mlflow": ("work/made/", "work/mlflow.db", "work/mlruns", "work/new.db"),
    "verify": ("work/runs",),
    "resume": ("work/made/", "work/mlflow.db", "work/mlruns"),
    "cluster": ("work/rendered/", "work/rendered"),
}


@dataclass(frozen=True)
class Item:
    """One hostile input.

    Attributes:
        name: What it is.
        words: The command.
        make: Puts it into the folder in which the command runs.
        codes: Exit codes that are right.
        is_quick: Whether it is quick and one of its kind; `make test` runs every third of these.
        read_only_from: The folder `made` turns read-only just before it is written to for this time, from 1.
        says: A pattern that standard error must hold.
    """

    name: str
    words: tuple[str, ...]
    make: Callable[[Path], object] = lambda _: None
    codes: tuple[int, ...] = (0, 1, 2)
    is_quick: bool = False
    read_only_from: int | None = None
    says: str = ""


class Runs:
    """The warm process, and a socket that nobody may connect to."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("warm_process.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    @property
    def port(self) -> int:
        """Where the socket listens."""
        return self.listener.getsockname()[1]

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self.listener.close()

    def run(self, root: Path, words: tuple[str, ...], read_only_from: int | None = None) -> dict:
        """Runs one command in `root/work`; the answer of the warm process, with `out` and `err`."""
        out, err = root / "stdout", root / "stderr"
        request = {
            "words": words,
            "folder": str(root / "work"),
            "environment": {"HOME": str(root / "home"), "XDG_STATE_HOME": str(root / "state"), "TMPDIR": str(root)},
            "out": str(out),
            "err": str(err),
            "timeout_s": _TIMEOUT_S,
            "user": NOBODY if read_only_from is not None else None,
            "read_only_from": read_only_from,
            "read_only_folder": str(root / "work" / "made"),
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        texts = {name: path.read_bytes().decode(errors="replace") for name, path in (("out", out), ("err", err))}
        return answer | texts

    def is_called(self) -> bool:
        """Whether somebody has connected to the socket since the last question."""
        try:
            self.listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def faults(self, root: Path, item: Item) -> list[str]:
        """Runs an item in `root`, which holds folders `work`, `home` and `canary`, and says what went wrong."""
        item.make(root / "work")
        if item.read_only_from is not None and os.geteuid() == 0:
            for path in [root, *root.rglob("*")]:
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        before = _tree(root)
        ended = self.run(root, item.words, item.read_only_from)
        written = _WRITTEN.get(item.words[0], ())
        faults = [
            f"{name} was {how}"
            for name, how in _changes(before, _tree(root))
            if not name.startswith(("state", "stdout", "stderr", *written))
            and name not in ("work", "work/made", "home")
        ]
        out, err = ended["out"], ended["err"]
        if ended["timed_out"]:
            faults.append(f"it ran for more than {_TIMEOUT_S} s")
        if ended["code"] not in item.codes:
            faults.append(f"exit code {ended['code']}")
        faults += _faults_of_output(ended["code"], out, err)
        if not re.search(item.says, err):
            faults.append(f"standard error does not say {item.says!r}")
        if (root / "work" / "imported").exists():
            faults.append("the canary module was imported")
        if self.is_called():
            faults.append("a connection was made")
        if faults:
            faults.append(f"{' '.join(item.words)}\n{out[-1500:]}\n{err[-3000:]}")
        return faults


def _faults_of_output(code: int, out: str, err: str) -> list[str]:
    faults = []
    if "Traceback" in out + err:
        faults.append("a traceback")
    if code == 2 and not re.search(r"^(Error: |Usage: )", err, re.MULTILINE):
        faults.append("exit code 2 without a word of what is wrong")
    if err.count("\n") > _MOST_LINES or len(err) > 6000:
        faults.append(f"{err.count(chr(10))} lines and {len(err)} letters on standard error")
    controls = {character for character in out + err if _acts(character)}
    if controls:
        faults.append(f"characters that act in a terminal: {sorted(map(ascii, controls))}")
    if SECRET in out + err:
        faults.append("a file of the user's was printed")
    return faults


def _acts(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs")


def _tree(root: Path) -> dict[str, tuple]:
    """All below a folder: kind and mode, and size, time and content of files."""
    entries: dict[str, tuple] = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(folder, name)
            status = path.lstat()
            is_small_file = path.is_file() and not path.is_symlink() and status.st_size < 10**6
            content = path.read_bytes() if is_small_file else b""
            times = () if path.is_dir() and not path.is_symlink() else (status.st_size, status.st_mtime_ns)
            entries[str(path.relative_to(root))] = (status.st_mode, *times, content)
    return entries


def _changes(before: dict[str, tuple], after: dict[str, tuple]) -> list[tuple[str, str]]:
    changes = [(name, "deleted") for name in before.keys() - after.keys()]
    changes += [(name, "made") for name in after.keys() - before.keys()]
    changes += [(name, "changed") for name in before.keys() & after.keys() if before[name] != after[name]]
    return sorted(changes)
