"""What a cluster file says: which launcher, and what it needs to know."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from cluster.errors import ClusterError

TOKEN_FILE = Path("~/.antisample/token")


class Cluster(BaseModel):
    """What all launchers have in common.

    Attributes:
        tracking_uri: MLflow store or server of studies that name none themselves.
        allow_insecure: Whether a Ray cluster that asks for no token will do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tracking_uri: str | None = None
    allow_insecure: bool = False


class LocalCluster(Cluster):
    """Ray on this machine; the default.

    Attributes:
        num_cpus: Cores to offer; by default those this process may use.
        num_gpus: GPUs to offer; by default those that Ray finds.
    """

    launcher: Literal["local"]
    num_cpus: int | None = Field(default=None, ge=1)
    num_gpus: int | None = Field(default=None, ge=0)


class SharedCluster(Cluster):
    """What clusters of several machines have in common.

    Attributes:
        shared_dir: A folder that every machine has under this path. Relative `runs_dir` and `data.cache_dir` of a
            study are below it.
        token_file: The cluster's secret, mode 0600; none takes what the environment says, as within a job of Ray.
    """

    shared_dir: Path
    token_file: Path | None = TOKEN_FILE

    @field_validator("shared_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        if not path.expanduser().is_absolute():
            raise ValueError(f"must be an absolute path, the same on every machine, but got {str(path)!r}")
        return path.expanduser()


class ExistingCluster(SharedCluster):
    """A Ray cluster that runs already; the driver joins it on one of its machines, or is sent to its Jobs endpoint.

    Attributes:
        address: `HOST:PORT` of the head; `http://HOST:8265` of the Jobs endpoint; `auto` within a job of the cluster.
        ship_program: Whether this program travels with the study; False where all machines have it installed.
    """

    launcher: Literal["existing"]
    address: str
    ship_program: bool = True

    @field_validator("address")
    @classmethod
    def _an_address(cls, address: str) -> str:
        if address != "auto" and not re.fullmatch(r"(https?://)?[^\s:/]+:\d{1,5}/?", address):
            raise ValueError(f"must be HOST:PORT, or http://HOST:8265 for the Jobs endpoint, but got {address!r}")
        return address.rstrip("/")

    @property
    def is_jobs_endpoint(self) -> bool:
        """Whether the driver is sent to the cluster instead of joining it."""
        return self.address.startswith("http")

    def within(self) -> "ExistingCluster":
        """The same cluster, as a driver sees it that runs there as a job."""
        return self.model_copy(update={"address": "auto", "token_file": None, "ship_program": False})


ClusterSpec = LocalCluster | ExistingCluster
LOCAL = LocalCluster(launcher="local")
_SPEC: TypeAdapter[ClusterSpec] = TypeAdapter(Annotated[ClusterSpec, Field(discriminator="launcher")])


def load_cluster(path: Path) -> ClusterSpec:
    """Reads a cluster file.

    Args:
        path: A YAML file with `launcher` and what that launcher needs.

    Raises:
        ClusterError: With every problem found.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ClusterError([f"cannot be read ({error.strerror})."], str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ClusterError([f"not readable as YAML: {' '.join(str(error).split())}."], str(path)) from error
    if not isinstance(values, dict):
        raise ClusterError(["expected keys and values, such as `launcher: local`."], str(path))
    try:
        return _SPEC.validate_python(values)
    except ValidationError as error:
        raise ClusterError([_problem(each) for each in error.errors()], str(path)) from error


def _problem(error: Any) -> str:
    location = ".".join(str(part) for part in error["loc"][1:]) or "launcher"
    message = error["msg"].removeprefix("Value error, ")
    shown = "" if "but got" in message or error["type"] == "missing" else f", but got {error['input']!r}"
    return f"`{location}`: {message[0].lower()}{message[1:]}{shown}."
