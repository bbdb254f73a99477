"""What a cluster file says: which launcher, and what it needs to know."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, field_validator

from antisample.storage.regular_files import read_regular
from antisample.validation.addresses import shown_address
from cluster.base import TOKEN_FILE, Cluster, SharedCluster
from cluster.errors import ClusterError
from cluster.kuberay import KubeRayCluster
from cluster.rules import sentence
from cluster.slurm import SlurmCluster
from cluster.vm import VmCluster
from cluster.yaml_loader import LONGEST, UniqueKeyLoader


class LocalCluster(Cluster):
    """Ray on this machine; the default.

    Attributes:
        num_cpus: Cores to offer; by default those this process may use.
        num_gpus: GPUs to offer; by default those that Ray finds.
    """

    launcher: Literal["local"]
    num_cpus: int | None = Field(default=None, ge=1)
    num_gpus: int | None = Field(default=None, ge=0)


class ExistingCluster(SharedCluster):
    """A Ray cluster that runs already; the driver joins it on one of its machines, or is sent to its Jobs endpoint.

    Attributes:
        address: `HOST:PORT` of the head; `http://HOST:8265` of the Jobs endpoint; `auto` within a job of the cluster.
        token_file: The cluster's secret, mode 0600; none takes what the environment says, as within a job of Ray.
        autoscaled_workers: Machines that the cluster's autoscaler may start, each with one `antisample_worker` among
            its resources; they are asked for while a study runs.
        ship_program: Whether this program travels with the study; False where all machines have it installed.
    """

    launcher: Literal["existing"]
    address: str
    token_file: Path | None = TOKEN_FILE
    autoscaled_workers: int = Field(default=0, ge=0)
    ship_program: bool = True

    @field_validator("address")
    @classmethod
    def _an_address(cls, address: str) -> str:
        if address != "auto" and not re.fullmatch(r"(https?://)?[^\s:/]+:\d{1,5}/?", address):
            raise ValueError(
                f"must be HOST:PORT, or http://HOST:8265 for the Jobs endpoint, but got {shown_address(address)}"
            )
        return address.rstrip("/")

    @property
    def is_jobs_endpoint(self) -> bool:
        """Whether the driver is sent to the cluster instead of joining it."""
        return self.address.startswith("http")

    def within(self) -> "ExistingCluster":
        """The same cluster, as a driver sees it that runs there as a job."""
        return self.model_copy(update={"address": "auto", "token_file": None, "ship_program": False})


ClusterSpec = LocalCluster | ExistingCluster | SlurmCluster | KubeRayCluster | VmCluster
"""What `load_cluster` returns: one of the launchers' descriptions."""

LOCAL = LocalCluster(launcher="local")
"""This machine, where no cluster file is given."""

_SPEC: TypeAdapter[ClusterSpec] = TypeAdapter(Annotated[ClusterSpec, Field(discriminator="launcher")])


def load_cluster(path: Path) -> ClusterSpec:
    """Reads a cluster file.

    Args:
        path: A YAML file with `launcher` and what that launcher needs.

    Raises:
        ClusterError: With every problem found.
    """
    try:
        text = read_regular(path, most=4 * LONGEST).decode()
        values = yaml.load(text, UniqueKeyLoader)  # noqa: S506  (a safe loader)
    except OSError as error:
        raise ClusterError([f"cannot be read ({error.strerror})."], str(path)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, numbers of 5,000 digits
        raise ClusterError([f"not readable as YAML: {' '.join(str(error).split())}."], str(path)) from error
    if not isinstance(values, dict):
        raise ClusterError(["expected keys and values, such as `launcher: local`."], str(path))
    try:
        return _SPEC.validate_python(values)
    except ValidationError as error:
        raise ClusterError(
            [sentence(each, _keys_beside(each["loc"])) for each in error.errors()], str(path)
        ) from error


def _keys_beside(place: tuple[Any, ...]) -> list[str]:
    """The keys that a cluster file can have where a key of its stands.

    Args:
        place: The launcher, and then the keys, from the outermost on.
    """
    kind: Any = next(
        (each for each in get_args(ClusterSpec) if get_args(each.model_fields["launcher"].annotation) == place[:1]),
        None,
    )
    for key in place[1:-1]:
        field = kind.model_fields.get(key) if isinstance(kind, type) and issubclass(kind, BaseModel) else None
        kind = field.annotation if field is not None else None
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []
