"""Slurm: an sbatch script that starts Ray on the machines it is given, and the driver on the first of them."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import Field, field_validator

from cluster.base import StudyJob, SubmittedCluster
from cluster.rules import quoted

SCRIPT = "job.sbatch"


class SlurmCluster(SubmittedCluster):
    """A job of Slurm, with a Ray cluster and a token of its own.

    Attributes:
        partition: Slurm's partition; by default Slurm's own default, as for `account`, `qos`, `time` and `mem`.
        account: Who is charged.
        qos: Quality of service.
        time: Longest running time as Slurm writes it, such as `12:00:00`.
        nodes: How many machines.
        cpus_per_node: Cores of each.
        gpus_per_node: GPUs of each.
        mem: Memory of each machine, such as `64G`.
        options: Further options of sbatch, such as `--constraint=a100`.
        setup: Shell lines before the program starts, such as `module load cuda` and `source env/bin/activate`.
            Without any, the environment that submits the job is used, which must then be on a shared disk.
        requeue: Whether a job that is preempted, or whose time is up, is queued again; its study then goes on.
        end_early_s: Seconds before its time is up at which a job stops its study in order, at least 30.
    """

    launcher: Literal["slurm"]
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    time: str | None = None
    nodes: int = Field(default=1, ge=1)
    cpus_per_node: int = Field(default=1, ge=1)
    gpus_per_node: int = Field(default=0, ge=0)
    mem: str | None = None
    options: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    requeue: bool = True
    end_early_s: int = Field(default=120, ge=30)

    @field_validator("time")
    @classmethod
    def _as_slurm_writes_time(cls, time: str | None) -> str | None:
        if time is not None and not re.fullmatch(r"[0-9]+([:-][0-9]+)*", time):
            raise ValueError(f"must be a time as Slurm writes it, such as 12:00:00, but got {quoted(time)}")
        return time

    @field_validator("mem")
    @classmethod
    def _as_slurm_writes_memory(cls, mem: str | None) -> str | None:
        if mem is not None and not re.fullmatch(r"[0-9]+[KMGT]?", mem):
            raise ValueError(f"must be a size as Slurm writes it, such as 64G, but got {quoted(mem)}")
        return mem

    @field_validator("options")
    @classmethod
    def _are_options(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        for option in options:
            if not re.fullmatch(r"--?[a-zA-Z][^\n]*", option):
                raise ValueError(f"must be options of sbatch, such as --constraint=a100, but got {quoted(option)}")
        return options


def render(spec: SlurmCluster, job: StudyJob, folder: Path, programs: Path) -> dict[str, str]:
    """The files of a job.

    Args:
        spec: The cluster.
        job: The study.
        folder: Where the files will lie, on the shared disk.
        programs: The folder of `antisample` and `ray` for a cluster without `setup`.

    Returns:
        Text by file name; the script is `job.sbatch`.
    """
    environment = Environment(
        loader=PackageLoader("cluster", ""), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  (a shell script; what is filled in passes through `quoted`)
    )  # fmt: skip
    environment.filters["quoted"] = lambda value: shlex.quote(str(value))
    script = environment.get_template("slurm.sbatch.jinja").render(
        options=_options(spec, job, folder),
        setup=spec.setup or (f"export PATH={shlex.quote(str(programs))}:$PATH",),
        folder=folder,
        directory=job.directory,
        requeue=spec.requeue,
        command=shlex.join(job.command(str(folder))),
        resume=shlex.join(replace(job, study=None, options=()).command(str(folder))),
    )
    return {SCRIPT: script, **job.files(spec)}


def _options(spec: SlurmCluster, job: StudyJob, folder: Path) -> list[str]:
    wanted: dict[str, str | int | None] = {
        "job-name": f"antisample-{job.name}",
        "output": f"{str(folder).replace('%', '%%')}/job-%j.log",
        "open-mode": "append",
        "chdir": str(job.home.absolute()),
        "partition": spec.partition,
        "account": spec.account,
        "qos": spec.qos,
        "time": spec.time,
        "nodes": spec.nodes,
        "ntasks-per-node": 1,
        "cpus-per-task": spec.cpus_per_node,
        "gpus-per-node": spec.gpus_per_node or None,
        "mem": spec.mem,
        "signal": f"B:USR1@{spec.end_early_s}",
    }
    options = [f"--{key}={shlex.quote(str(value))}" for key, value in wanted.items() if value is not None]
    return [*options, "--requeue" if spec.requeue else "--no-requeue", *spec.options]
