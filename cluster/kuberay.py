"""Kubernetes with KubeRay: a RayJob that makes a cluster for a study, or a RayCluster that stays."""

import shlex
from typing import Any, Literal

import ray
import yaml
from pydantic import Field, model_validator

from cluster.base import WORKER, Settings, StudyJob, SubmittedCluster

_FILES = "/etc/antisample"


class PodSize(Settings):
    """What one pod gets, as request and as limit.

    Attributes:
        cpus: Cores.
        memory_gb: Memory in GiB.
        gpus: GPUs.
        gpu_resource: What the device plug-in calls them.
        node_selector: Labels that its machine must have.
        tolerations: Taints that it may ignore, as Kubernetes writes them.
    """

    cpus: int = Field(default=2, ge=1)
    memory_gb: int = Field(default=8, ge=1)
    gpus: int = Field(default=0, ge=0)
    gpu_resource: str = "nvidia.com/gpu"
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[dict[str, str | int], ...] = ()


class WorkerPods(PodSize):
    """Equal worker pods, started and ended by Ray's autoscaler.

    Attributes:
        gpus: GPUs of each.
        min_workers: Never fewer pods.
        max_workers: Never more pods.
    """

    gpus: int = Field(default=1, ge=0)
    min_workers: int = Field(default=0, ge=0)
    max_workers: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> "WorkerPods":
        if self.min_workers > self.max_workers:
            raise ValueError(f"`min_workers` must be at most {self.max_workers}, but got {self.min_workers}")
        return self


class KubeRayCluster(SubmittedCluster):
    """A RayJob of KubeRay 1.6 or later. `shared_dir` is where pods mount the shared volume.

    Attributes:
        namespace: Of everything that is made.
        image: Container image with this program; see the Dockerfile.
        image_pull_secret: Secret for a registry that is not public.
        service_account: The pods' account.
        volume_claim: A PersistentVolumeClaim that many pods may write at once (ReadWriteMany).
        secret: Name of the secret with the cluster's token under the key `auth_token`; made where it is missing.
        tracking_secret: Name of a secret with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
        head: The head's pod, where the driver runs; it runs no trials.
        workers: The pods that run trials.
        keep_s: Seconds for which the cluster of a finished study stays.
    """

    launcher: Literal["kuberay"]
    namespace: str = "default"
    image: str
    image_pull_secret: str | None = None
    service_account: str | None = None
    volume_claim: str
    secret: str = "antisample-ray-token"  # noqa: S105  (a name)
    tracking_secret: str | None = None
    head: PodSize = PodSize()
    workers: WorkerPods = WorkerPods()
    keep_s: int = Field(default=600, ge=0)


def render(spec: KubeRayCluster, job: StudyJob) -> dict[str, str]:
    """The manifests of a study.

    Args:
        spec: The cluster.
        job: The study.

    Returns:
        Text by file name: `study-files.yaml` and `rayjob.yaml` run the study; `raycluster.yaml` is a cluster of the
        same form that stays.
    """
    name = job.label
    files = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": spec.namespace},
        "data": job.files(spec, spec.workers.max_workers),
    }
    run = {
        "entrypoint": shlex.join(job.command(_FILES)),
        "submissionMode": "K8sJobMode",
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": spec.keep_s,
        "backoffLimit": 2,  # a new cluster, on which the study goes on
        "rayClusterSpec": _cluster(spec, name),
    }
    if spec.image_pull_secret is not None or spec.service_account is not None:
        container = {"name": "ray-job-submitter", "image": spec.image}
        run["submitterPodTemplate"] = {"spec": {**_pod(spec), "restartPolicy": "Never", "containers": [container]}}
    return {
        "study-files.yaml": _text(files),
        "rayjob.yaml": _text(_ray_object(spec, "RayJob", name, run)),
        "raycluster.yaml": _text(_ray_object(spec, "RayCluster", name, _cluster(spec, None))),
    }


def _ray_object(spec: KubeRayCluster, kind: str, name: str, content: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": spec.namespace}
    return {"apiVersion": "ray.io/v1", "kind": kind, "metadata": metadata, "spec": content}


def _cluster(spec: KubeRayCluster, files: str | None) -> dict[str, Any]:
    """A RayClusterSpec; `files` names the ConfigMap that the head mounts."""
    workers = spec.workers
    return {
        "rayVersion": ray.__version__,
        "authOptions": {"mode": "token", "secretName": spec.secret},
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {"upscalingMode": "Default", "idleTimeoutSeconds": 120},
        "headGroupSpec": {
            "serviceType": "ClusterIP",
            # Only the cluster's own network reaches the dashboard, and it asks for the token: jobs are sent to it.
            "rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0"},  # noqa: S104
            "template": {"spec": _pod_with_container(spec, spec.head, "ray-head", files)},
        },
        "workerGroupSpecs": [
            {
                "groupName": "trials",
                "replicas": workers.min_workers,
                "minReplicas": workers.min_workers,
                "maxReplicas": workers.max_workers,
                "rayStartParams": {"resources": f'"{{\\"{WORKER}\\": 1}}"'},
                "template": {"spec": _pod_with_container(spec, workers, "ray-worker", None)},
            }
        ],
    }


def _pod(spec: KubeRayCluster) -> dict[str, Any]:
    pod: dict[str, Any] = {}
    if spec.service_account is not None:
        pod["serviceAccountName"] = spec.service_account
    if spec.image_pull_secret is not None:
        pod["imagePullSecrets"] = [{"name": spec.image_pull_secret}]
    return pod


def _pod_with_container(spec: KubeRayCluster, size: PodSize, name: str, files: str | None) -> dict[str, Any]:
    amounts: dict[str, str | int] = {"cpu": size.cpus, "memory": f"{size.memory_gb}Gi"}
    if size.gpus:
        amounts[size.gpu_resource] = size.gpus
    volumes: list[dict[str, Any]] = [
        {"name": "shared", "persistentVolumeClaim": {"claimName": spec.volume_claim}},
        # Ray's object store; a container has 64 MB of it otherwise.
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": f"{max(1, size.memory_gb // 2)}Gi"}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "shared", "mountPath": str(spec.shared_dir)},
        {"name": "memory", "mountPath": "/dev/shm"},  # noqa: S108  (the object store's place)
    ]
    if files is not None:
        volumes.append({"name": "files", "configMap": {"name": files}})
        mounts.append({"name": "files", "mountPath": _FILES, "readOnly": True})
    container: dict[str, Any] = {
        "name": name,
        "image": spec.image,
        "resources": {"limits": amounts, "requests": amounts},
        "volumeMounts": mounts,
        "env": [{"name": "RAY_USAGE_STATS_ENABLED", "value": "0"}],
    }
    if spec.tracking_secret is not None:
        container["envFrom"] = [{"secretRef": {"name": spec.tracking_secret}}]
    pod = {**_pod(spec), "containers": [container], "volumes": volumes}
    if size.node_selector:
        pod["nodeSelector"] = size.node_selector
    if size.tolerations:
        pod["tolerations"] = list(size.tolerations)
    return pod


class _Plain(yaml.SafeDumper):
    """Writes things that occur twice twice, and texts of several lines as they are."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  (PyYAML's signature)
        return True


def _several_lines(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _several_lines)


def _text(content: dict[str, Any]) -> str:
    return yaml.dump(content, Dumper=_Plain, sort_keys=False)
