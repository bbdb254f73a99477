"""Several hosts on one machine: namespaces with an address, a name and processes of their own, joined by a bridge."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

# Each host has a Ray folder of its own; everything else on the disk they share, as over NFS. The first process waits
# and takes in orphans, as init does: Ray looks for the raylet of its own host among all processes that it sees.
_INIT = """
import signal

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("up", flush=True)
while True:
    signal.pause()
"""
_BOOT = 'hostname "$1" && mount --bind "$2" /tmp/ray && exec "$3" -c "$4"'


def missing() -> str | None:
    """Why this machine cannot pretend to be several; None if it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    absent = [
        program for program in ("ip", "unshare", "nsenter", "hostname", "mount") if shutil.which(program) is None
    ]
    if absent:
        return f"not installed: {', '.join(absent)}"
    probe = f"probe-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False).returncode:
        return "the kernel refuses network namespaces"
    subprocess.run(["ip", "netns", "del", probe], check=True)
    return None


class Hosts:
    """Hosts `host-0`, `host-1` and so on, with addresses 10.77.0.1, 10.77.0.2 and so on.

    The test itself sees them from 10.77.0.254.
    """

    def __init__(self) -> None:
        self._prefix = f"as{os.getpid() % 100000}"
        self._count = 0
        self._inits: list[psutil.Process] = []
        self._started: list[subprocess.Popen[str]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="hosts-")
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", "10.77.0.254/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")

    @property
    def _bridge(self) -> str:
        return f"{self._prefix}br"

    def add(self) -> int:
        """Makes another host and returns its number."""
        host, self._count = self._count, self._count + 1
        namespace, inside, outside = self._namespace(host), f"{self._prefix}i{host}", f"{self._prefix}o{host}"
        _ip("netns", "add", namespace)
        _ip("link", "add", outside, "type", "veth", "peer", "name", inside)
        _ip("link", "set", outside, "master", self._bridge, "up")
        _ip("link", "set", inside, "netns", namespace)
        _ip("-n", namespace, "addr", "add", f"{self.address(host)}/24", "dev", inside)
        _ip("-n", namespace, "link", "set", inside, "up")
        _ip("-n", namespace, "link", "set", "lo", "up")
        self._boot(host)
        return host

    def _boot(self, host: int) -> None:
        Path("/tmp/ray").mkdir(exist_ok=True)
        own = Path(self._folder.name) / f"{host}"
        own.mkdir()
        apart = ["unshare", "--uts", "--mount", "--pid", "--fork", "--mount-proc"]
        words = [*apart, "sh", "-c", _BOOT, "host", f"host-{host}", own, sys.executable, _INIT]
        process = subprocess.Popen([*self.within(host), *words], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        self._inits += psutil.Process(process.pid).children()
        self._started.append(process)

    @staticmethod
    def address(host: int) -> str:
        """Address of a host."""
        return f"10.77.0.{host + 1}"

    def within(self, host: int) -> list[str]:
        """Words before a command that is to run on a host."""
        return ["ip", "netns", "exec", self._namespace(host)]

    def start(
        self, host: int, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], log: Path
    ) -> "subprocess.Popen[str]":
        """Starts a command on a host; its process is a child of the one that is returned, which ends as it does."""
        spaces = ["--uts", "--mount", "--net", "--pid", f"--wdns={folder}"]
        words = ["nsenter", "--target", str(self._inits[host].pid), *spaces, "--", *map(str, command)]
        with log.open("a") as output:
            process = subprocess.Popen(
                words,
                env={**os.environ, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                text=True,
            )
        self._started.append(process)
        return process

    @staticmethod
    def kill(process: "subprocess.Popen[str]") -> None:
        """Ends a command that was started on a host, at once."""
        (command,) = psutil.Process(process.pid).children()
        command.kill()
        process.wait(30)

    def cut_off(self, host: int) -> None:
        """Pulls the host's network cable."""
        _ip("link", "set", f"{self._prefix}o{host}", "down")

    def heal(self, host: int) -> None:
        """Plugs it in again."""
        _ip("link", "set", f"{self._prefix}o{host}", "up")

    def power_off(self, host: int) -> None:
        """Ends everything on a host at once."""
        for _ in range(20):
            found = subprocess.run(
                ["ip", "netns", "pids", self._namespace(host)], capture_output=True, text=True, check=True
            ).stdout.split()
            if not found:
                return
            for pid in map(int, found):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.2)

    def close(self) -> None:
        """Ends and removes everything."""
        for host in range(self._count):
            self.power_off(host)
        for process in self._started:
            process.wait(10)
        for host in range(self._count):
            _ip("netns", "del", self._namespace(host))
        _ip("link", "del", self._bridge)
        self._folder.cleanup()

    def _namespace(self, host: int) -> str:
        return f"{self._prefix}h{host}"


@contextlib.contextmanager
def several_hosts(count: int) -> Iterator[Hosts]:
    """Has so many hosts for the length of a block."""
    hosts = Hosts()
    try:
        for _ in range(count):
            hosts.add()
        yield hosts
    finally:
        hosts.close()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
