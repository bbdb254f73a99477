"""Launchers: where Ray runs. Imports none of the other packages."""

from cluster.base import SharedCluster, StudyJob, SubmittedCluster
from cluster.errors import ClusterError
from cluster.existing import existing_ray
from cluster.local import early_ray, local_ray, ray_of_this_process
from cluster.node_watch import watched_node
from cluster.spec import LOCAL, ClusterSpec, ExistingCluster, LocalCluster, load_cluster
from cluster.submission import submit

__all__ = [
    "LOCAL",
    "ClusterError",
    "ClusterSpec",
    "ExistingCluster",
    "LocalCluster",
    "SharedCluster",
    "StudyJob",
    "SubmittedCluster",
    "early_ray",
    "existing_ray",
    "load_cluster",
    "local_ray",
    "ray_of_this_process",
    "submit",
    "watched_node",
]
