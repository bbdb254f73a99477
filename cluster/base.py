"""What the descriptions of clusters have in common."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from antisample.validation.addresses import secret_problem
from cluster.rules import unusable

TOKEN_FILE = Path("~/.antisample/token")
WORKER = "antisample_worker"
"""Resource of machines that an autoscaler starts, one each, by which the driver asks for them."""


class Settings(BaseModel):
    """Base of what a cluster file says: frozen, without unknown keys, of values that can be used and written down."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _usable(cls, value: Any) -> Any:
        if (rule := unusable(value)) is not None:
            raise ValueError(rule)
        return value


class Cluster(Settings):
    """What all launchers have in common.

    Attributes:
        tracking_uri: MLflow store or server of studies that name none themselves.
        allow_insecure: Whether a Ray cluster that asks for no token will do.
    """

    tracking_uri: str | None = None
    allow_insecure: bool = False

    @field_validator("tracking_uri")
    @classmethod
    def _no_password(cls, uri: str | None) -> str | None:
        problem = secret_problem(uri) if uri is not None else None
        if problem is not None:
            raise ValueError(f"{problem}; MLflow reads MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
        return uri


class SharedCluster(Cluster):
    """What clusters of several machines have in common.

    Attributes:
        shared_dir: A folder that every machine has under this path. Relative `runs_dir` and `data.cache_dir` of a
            study are below it.
    """

    shared_dir: Path

    @field_validator("shared_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        if not path.expanduser().is_absolute():
            raise ValueError(f"must be an absolute path, the same on every machine, but got {str(path)!r}")
        return path.expanduser()


class SubmittedCluster(SharedCluster):
    """A cluster that is made for one study: the command that searches sends files there and returns.

    Attributes:
        launcher: What makes it.
    """

    launcher: str


@dataclass(frozen=True)
class StudyJob:
    """A study on its way to a cluster.

    Attributes:
        name: Of the study.
        directory: The study's directory, as the cluster's machines see it.
        study: The study as YAML; None to continue what lies in the directory.
        options: Further words for `antisample run`.
        home: Folder in which relative paths of the study begin.
        register: Name under which the chosen model goes into MLflow's registry, if it is to.
    """

    name: str
    directory: Path
    study: str | None
    options: tuple[str, ...] = ()
    home: Path = Path()
    register: str | None = None

    @property
    def label(self) -> str:
        """A name for clusters and clouds, another one for every directory: a DNS label, short enough to append to."""
        name = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")[:20].strip("-")
        digest = hashlib.sha256(str(self.directory).encode()).hexdigest()[:8]
        return "-".join(filter(None, ("antisample", name, digest)))

    def command(self, folder: str) -> list[str]:
        """The command that searches, with the files of `files` in a folder."""
        what = ["run", f"{folder}/study.yaml"] if self.study is not None else ["resume", str(self.directory)]
        registered = () if self.register is None else ("--register", self.register)
        return ["antisample", *what, *self.options, *registered, "--cluster", f"{folder}/cluster.yaml"]

    def files(self, spec: SharedCluster, workers: int = 0) -> dict[str, str]:
        """What the driver reads on the cluster, by file name.

        Args:
            spec: The cluster. The driver finds its address and token in Ray's own environment variables.
            workers: Machines that the cluster's autoscaler may start.
        """
        within = {
            "launcher": "existing",
            "address": "auto",
            "token_file": None,
            "ship_program": False,
            "autoscaled_workers": workers,
            "shared_dir": str(spec.shared_dir),
            "tracking_uri": spec.tracking_uri,
        }
        cluster = "".join(f"{key}: {json.dumps(value)}\n" for key, value in within.items())
        return {"cluster.yaml": cluster, **({"study.yaml": self.study} if self.study is not None else {})}
