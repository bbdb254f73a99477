"""Machines that `ray up` starts in a cloud, or own ones that it reaches over SSH."""

import shlex
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, model_validator

from cluster.base import TOKEN_FILE, WORKER, StudyJob, SubmittedCluster

FILE = "ray-up.yaml"
_ENVIRONMENT = "$HOME/antisample-env"
_TOKEN = "$HOME/.antisample/token"  # noqa: S105  (a path)
_CLOUD_NEEDS = ("region", "head_type", "worker_type")
_NEEDS = {"aws": _CLOUD_NEEDS, "gcp": (*_CLOUD_NEEDS, "zone", "project", "image"), "machines": ("head_host",)}


class VmCluster(SubmittedCluster):
    """Virtual machines of a cloud, or own machines. `shared_dir` is mounted by lines of `setup`.

    Attributes:
        provider: `aws`, `gcp`, or `machines` for own ones.
        wheel: This program's wheel; it is copied to and installed on every machine.
        python: The command there that makes an environment, Python 3.11 to 3.13.
        setup: Shell lines on every machine before that, such as the ones that mount `shared_dir`.
        token_file: The cluster's secret, mode 0600; made where it is missing.
        ssh_user: Who logs in.
        ssh_private_key: With what; for clouds Ray makes one by itself.
        region: Cloud: where; required.
        zone: Cloud: availability zone; required for gcp.
        project: gcp: the project's id; required.
        image: gcp: source image, required. aws: AMI; by default the one that Ray takes.
        head_type: Cloud: machine type of the head, where the driver runs and no trials; required.
        worker_type: Cloud: machine type of the workers; required.
        gpus_per_worker: gcp: GPUs attached to each worker; machine types that have them built in need 0 here.
        gpu_type: gcp: what kind, such as `nvidia-tesla-t4`.
        disk_gb: Cloud: size of each disk.
        spot: Cloud: whether workers are spot machines, which are cheaper and may be taken away.
        min_workers: Cloud: never fewer workers.
        max_workers: Cloud: never more workers.
        head_host: Own machines: address of the head, which runs trials, too; required.
        worker_hosts: Own machines: addresses of the others.
    """

    launcher: Literal["vm"]
    provider: Literal["aws", "gcp", "machines"]
    wheel: Path
    python: str = "python3"
    setup: tuple[str, ...] = ()
    token_file: Path = TOKEN_FILE
    ssh_user: str = "ubuntu"
    ssh_private_key: Path | None = None
    region: str | None = None
    zone: str | None = None
    project: str | None = None
    image: str | None = None
    head_type: str | None = None
    worker_type: str | None = None
    gpus_per_worker: int = Field(default=0, ge=0)
    gpu_type: str | None = None
    disk_gb: int = Field(default=100, ge=20)
    spot: bool = False
    min_workers: int = Field(default=0, ge=0)
    max_workers: int = Field(default=1, ge=1)
    head_host: str | None = None
    worker_hosts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _what_the_provider_needs(self) -> "VmCluster":
        missing = [f"`{key}`" for key in _NEEDS[self.provider] if getattr(self, key) is None]
        problems = [f"{self.provider} needs {', '.join(missing)}"] if missing else []
        if self.gpus_per_worker and self.gpu_type is None:
            problems.append("`gpus_per_worker` needs `gpu_type`")
        if self.min_workers > self.max_workers:
            problems.append(f"`min_workers` must be at most {self.max_workers}, but got {self.min_workers}")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def render(spec: VmCluster, job: StudyJob) -> dict[str, str]:
    """The files of a study: `ray-up.yaml` for `ray up`, and what the driver reads.

    Args:
        spec: The cluster.
        job: The study.

    Returns:
        Text by file name.
    """
    packages = {"aws": " boto3", "gcp": " google-api-python-client cryptography", "machines": ""}[spec.provider]
    wheel = shlex.quote(spec.wheel.name)
    ray = f"'ray[default]=={version('ray')}'"  # Ray needs one version everywhere, also on machines that join later
    start = (
        f"export PATH={_ENVIRONMENT}/bin:$PATH RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH={_TOKEN} "
        "RAY_USAGE_STATS_ENABLED=0; ray stop; ulimit -n 65536; ray start"
    )
    head_cores = "" if spec.provider == "machines" else " --num-cpus=0"
    up = {
        "cluster_name": job.label,
        "provider": _provider(spec),
        "auth": {
            "ssh_user": spec.ssh_user,
            **({"ssh_private_key": str(spec.ssh_private_key)} if spec.ssh_private_key is not None else {}),
        },
        **_machine_types(spec),
        "file_mounts": {
            "~/.antisample/token": str(spec.token_file.expanduser().absolute()),
            f"~/{spec.wheel.name}": str(spec.wheel.expanduser().absolute()),
        },
        "setup_commands": [
            *spec.setup,
            f"test -d {_ENVIRONMENT} || {spec.python} -m venv {_ENVIRONMENT}",
            f"{_ENVIRONMENT}/bin/pip install --quiet{packages} {ray} $HOME/{wheel}'[jobs]'",
        ],
        "head_setup_commands": [],
        "worker_setup_commands": [],
        "head_start_ray_commands": [
            f"{start} --head --port=6379 --autoscaling-config=$HOME/ray_bootstrap_config.yaml "
            f"--dashboard-host=127.0.0.1{head_cores}"
        ],
        "worker_start_ray_commands": [f"{start} --address=$RAY_HEAD_IP:6379"],
    }
    return {FILE: yaml.safe_dump(up, sort_keys=False), **job.files(spec, _autoscaled(spec))}


def search_command(job: StudyJob) -> str:
    """What the head's shell runs; the study's files lie in the home folder."""
    words = [*job.command(".")]
    return (
        f"export PATH={_ENVIRONMENT}/bin:$PATH RAY_ADDRESS=127.0.0.1:6379 RAY_AUTH_MODE=token "
        f"RAY_AUTH_TOKEN_PATH={_TOKEN}; {shlex.join(words)} 2>&1 | tee -a {shlex.quote(f'{job.name}.log')}"
    )


def _autoscaled(spec: VmCluster) -> int:
    return 0 if spec.provider == "machines" else spec.max_workers


def _provider(spec: VmCluster) -> dict[str, Any]:
    if spec.provider == "machines":
        return {"type": "local", "head_ip": spec.head_host, "worker_ips": list(spec.worker_hosts)}
    provider: dict[str, Any] = {"type": spec.provider, "region": spec.region}
    if spec.zone is not None:
        provider["availability_zone"] = spec.zone
    if spec.project is not None:
        provider["project_id"] = spec.project
    return provider


def _machine_types(spec: VmCluster) -> dict[str, Any]:
    if spec.provider == "machines":
        # Own machines are there or not: all of them are used.
        return {"min_workers": len(spec.worker_hosts), "max_workers": len(spec.worker_hosts)}
    node = _aws_node if spec.provider == "aws" else _gcp_node
    head = {"resources": {"CPU": 0}, "min_workers": 0, "max_workers": 0, "node_config": node(spec, True)}
    workers = {
        "resources": {WORKER: 1},
        "min_workers": spec.min_workers,
        "max_workers": spec.max_workers,
        "node_config": node(spec, False),
    }
    return {
        "max_workers": spec.max_workers,
        "idle_timeout_minutes": 5,
        "available_node_types": {"head": head, "worker": workers},
        "head_node_type": "head",
    }


def _aws_node(spec: VmCluster, is_head: bool) -> dict[str, Any]:
    node: dict[str, Any] = {
        "InstanceType": spec.head_type if is_head else spec.worker_type,
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": spec.disk_gb}}],
    }
    if spec.image is not None:
        node["ImageId"] = spec.image
    if spec.spot and not is_head:
        node["InstanceMarketOptions"] = {"MarketType": "spot"}
    return node


def _gcp_node(spec: VmCluster, is_head: bool) -> dict[str, Any]:
    disk = {"diskSizeGb": spec.disk_gb, "sourceImage": spec.image}
    node: dict[str, Any] = {
        "machineType": spec.head_type if is_head else spec.worker_type,
        "disks": [{"boot": True, "autoDelete": True, "type": "PERSISTENT", "initializeParams": disk}],
    }
    if is_head:
        return node
    if spec.gpus_per_worker:
        node["guestAccelerators"] = [{"acceleratorType": spec.gpu_type, "acceleratorCount": spec.gpus_per_worker}]
    scheduling: dict[str, Any] = {}
    if spec.gpus_per_worker:
        scheduling["onHostMaintenance"] = "TERMINATE"  # machines with GPUs cannot move
    if spec.spot:
        scheduling["preemptible"] = True
    if scheduling:
        node["scheduling"] = [scheduling]
    return node
