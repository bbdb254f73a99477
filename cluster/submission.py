"""Sending a study to a cluster that is made for it. Everything that is sent can be looked at first: `rendered`."""

import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cluster import kuberay, slurm, vm
from cluster.base import StudyJob, SubmittedCluster
from cluster.errors import ClusterError
from cluster.kuberay import KubeRayCluster
from cluster.rules import unusable
from cluster.slurm import SlurmCluster
from cluster.token import make_token
from cluster.vm import VmCluster

Say = Callable[[str], None]


def files_folder(spec: SubmittedCluster, job: StudyJob) -> Path:
    """Where the files of a job lie: beside the study's directory where that is on this machine, else in `runs`."""
    if isinstance(spec, SlurmCluster):
        return job.directory.with_name(f"{job.directory.name}.{spec.launcher}")
    return job.home.absolute() / "runs" / f"{job.name}.{spec.launcher}"


def rendered(spec: SubmittedCluster, job: StudyJob) -> dict[str, str]:
    """The files that submitting writes, by name. Nothing is written or started.

    Raises:
        ClusterError: If a name or a folder holds a line break, which would be a line of its own in a script.
    """
    words = (job.name, job.directory, job.home.absolute(), *job.options, job.register or "", sys.executable)
    problems = [f"Names and folders of a job {rule}." for word in words if (rule := unusable(str(word))) is not None]
    if problems:
        raise ClusterError(problems)
    if isinstance(spec, SlurmCluster):
        programs = Path(sys.executable).parent
        return slurm.render(spec, job, files_folder(spec, job), programs)
    if isinstance(spec, KubeRayCluster):
        return kuberay.render(spec, job)
    if isinstance(spec, VmCluster):
        return vm.render(spec, job)
    raise TypeError(f"no launcher for {type(spec).__name__}")


def submit(spec: SubmittedCluster, job: StudyJob, say: Say) -> None:
    """Writes a study's files and hands them to the cluster's own program, which must be installed.

    Args:
        spec: The cluster.
        job: The study.
        say: Told what happens and how to follow it.

    Raises:
        ClusterError: If the program is missing or refuses, or the files cannot be written.
    """
    program = {SlurmCluster: "sbatch", KubeRayCluster: "kubectl", VmCluster: "ray"}[type(spec)]
    beside = str(Path(sys.executable).parent)
    path = shutil.which(program) or shutil.which(program, path=beside)
    if path is None:
        raise ClusterError([f"`{program}` is not installed here; view the files with `antisample cluster render`."])
    if isinstance(spec, SlurmCluster) and job.study is None and not (job.directory / "study.yaml").is_file():
        raise ClusterError([f"{job.directory}: holds no study to continue."])
    folder = files_folder(spec, job)
    write_files(rendered(spec, job), folder)
    if isinstance(spec, SlurmCluster):
        number = _run([path, "--parsable", str(folder / slurm.SCRIPT)]).split(";")[0]
        say(f"Job {number} of Slurm. Follow it: squeue -j {number}; tail -F {folder}/job-{number}.log")
        say(f"Stop it: scancel {number}. Its study: {job.directory}")
    elif isinstance(spec, KubeRayCluster):
        _apply(spec, job, folder, path)
        name, place = job.label, f"-n {spec.namespace}"
        say(f"RayJob {name}. Follow it: kubectl {place} get rayjob {name}; kubectl {place} logs -f job/{name}")
        say(f"Stop it: kubectl {place} delete rayjob {name}. Its study: {job.directory} on the shared volume")
    elif isinstance(spec, VmCluster):
        _send(spec, job, folder, path)
        up = folder / vm.FILE
        say(f"Follow it: ray exec {up} 'tail -f {job.name}.log'. Its study: {job.directory} on the shared folder")
        say(f"Terminate the machines, which cost money until then: ray down {up}")


def write_files(files: dict[str, str], folder: Path) -> None:
    """Writes rendered files: all of them, or none if there is no room for all.

    Raises:
        ClusterError: If the folder cannot be written.
    """
    unfinished = {folder / f".{name}.unfinished": folder / name for name in files}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        in_the_way = next((path for path in unfinished.values() if path.is_dir()), None)
        if in_the_way is not None:
            raise ClusterError([f"{in_the_way}: cannot be written (it is a folder)."])
        for path, text in zip(unfinished, files.values(), strict=True):
            path.write_text(text)
        for path, final in unfinished.items():
            path.replace(final)
    except OSError as error:
        raise ClusterError([f"{folder}: cannot be written ({error.strerror})."]) from error
    finally:
        for path in unfinished:
            with suppress(OSError):
                path.unlink()


def _apply(spec: KubeRayCluster, job: StudyJob, folder: Path, kubectl: str) -> None:
    command = [kubectl, "--namespace", spec.namespace]
    existing = _run([*command, "get", "secret", spec.secret, "--ignore-not-found", "--output=name"])
    if not existing.strip():
        # Through a pipe: neither a command line nor a file shows the token.
        create = [*command, "create", "secret", "generic", spec.secret, "--from-file=auth_token=/dev/stdin"]
        _run(create, text=secrets.token_hex(32))
    # A RayJob runs once: to continue a study a new one takes the place of the last.
    _run([*command, "delete", "rayjob", job.label, "--ignore-not-found"])
    _run([*command, "apply", "-f", str(folder / "study-files.yaml"), "-f", str(folder / "rayjob.yaml")])


def _send(spec: VmCluster, job: StudyJob, folder: Path, ray: str) -> None:
    make_token(spec.token_file)
    up = str(folder / vm.FILE)
    _run([ray, "up", up, "--yes"], echo=True)
    for name in job.files(spec):
        _run([ray, "rsync-up", up, str(folder / name), f"~/{name}"], echo=True)
    _run([ray, "exec", up, vm.search_command(job), "--tmux"], echo=True)


def _run(command: list[str], text: str | None = None, echo: bool = False) -> str:
    """Runs a program; what it prints is shown as it comes, or returned.

    Raises:
        ClusterError: If it fails, with what it said.
    """
    done = subprocess.run(  # noqa: S603  (the cluster's own program)
        command, input=text, stdout=None if echo else subprocess.PIPE, stderr=None if echo else subprocess.PIPE,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        said = " ".join((done.stderr or "").split()) or f"exit code {done.returncode}"
        raise ClusterError([f"`{Path(command[0]).name} {command[1]}` failed: {said}"])
    return (done.stdout or "").strip()
