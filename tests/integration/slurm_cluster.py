"""A real Slurm on loopback: munge, the controller and one machine with two cores, for the length of a block."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
_SETTINGS = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={machine}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MpiDefault=none
ReturnToService=2
KillWait=15
MessageTimeout=60
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Why there can be no Slurm here; None if there can."""
    if os.geteuid() != 0:
        return "Slurm's programs run as root here"
    absent = [program for program in _PROGRAMS if _find(program) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


class Slurm:
    """A running Slurm.

    Attributes:
        environment: Variables with which Slurm's programs find it.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment

    def ask(self, *words: str) -> str:
        """What one of Slurm's programs prints."""
        return subprocess.run(
            words, env={**os.environ, **self.environment}, capture_output=True, text=True, check=True
        ).stdout.strip()

    def state(self, job: str) -> str:
        """A job's state, such as RUNNING."""
        return self._field(job, "JobState")

    def restarts(self, job: str) -> int:
        """How often a job was queued again."""
        return int(self._field(job, "Restarts"))

    def wait(self, job: str, states: tuple[str, ...], timeout_s: float) -> str:
        """Waits until a job is in one of these states, and returns it."""
        deadline, state = time.monotonic() + timeout_s, "unknown"
        while time.monotonic() < deadline:
            with contextlib.suppress(subprocess.CalledProcessError):  # on a busy machine Slurm may answer too late
                state = self.state(job)
                if state in states:
                    return state
            time.sleep(0.5)
        raise TimeoutError(f"job {job} is {state}, not {states}")

    def _field(self, job: str, name: str) -> str:
        words = self.ask("scontrol", "show", "job", job, "--oneliner").split()
        return next(word.partition("=")[2] for word in words if word.startswith(f"{name}="))


@contextlib.contextmanager
def slurm() -> Iterator[Slurm]:
    """Starts Slurm and stops it, and all its jobs, at the end."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        folder = Path(name)
        for part in ("state", "spool"):
            (folder / part).mkdir()
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        settings = _SETTINGS.format(
            host=socket.gethostname().split(".")[0], folder=folder, controller=_free_port(), machine=_free_port()
        )
        (folder / "slurm.conf").write_text(settings)
        environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        munge = [
            "--foreground", "--force", "--key-file", key, "--socket", folder / "munge.socket",
            "--pid-file", folder / "munge.pid", "--log-file", folder / "munge.log",
            "--seed-file", folder / "munge.seed",
        ]  # fmt: skip
        started: list[subprocess.Popen[bytes]] = []
        found = Slurm(environment)

        def start(program: str, *words: str | Path) -> None:
            with (folder / f"{program}.out").open("w") as log:
                started.append(
                    subprocess.Popen(
                        [str(_find(program)), *map(str, words)],
                        env={**os.environ, **environment},
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )

        try:
            start("munged", *munge)
            _wait((folder / "munge.socket").exists, folder)
            start("slurmctld", "-D")
            start("slurmd", "-D")
            _wait(lambda: "idle" in found.ask("sinfo", "--noheader", "--format=%T"), folder)
            yield found
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                found.ask("scancel", "--user=root")
                _wait(lambda: not found.ask("squeue", "--noheader"), folder, ends=True)
            for process in reversed(started):
                process.terminate()
            for process in reversed(started):
                process.wait(30)


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(ready: Callable[[], bool], folder: Path, ends: bool = False) -> None:
    for _ in range(120):
        with contextlib.suppress(subprocess.CalledProcessError):
            if ready():
                return
        time.sleep(0.5)
    if not ends:
        raise RuntimeError("\n".join(path.read_text()[-1000:] for path in sorted(folder.glob("*.log"))))
