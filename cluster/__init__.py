"""Launchers: where Ray runs. Imports none of the other packages."""

from cluster.errors import ClusterError
from cluster.existing import existing_ray
from cluster.local import early_ray, local_ray
from cluster.spec import LOCAL, ClusterSpec, ExistingCluster, SharedCluster, load_cluster

__all__ = [
    "LOCAL",
    "ClusterError",
    "ClusterSpec",
    "ExistingCluster",
    "SharedCluster",
    "early_ray",
    "existing_ray",
    "load_cluster",
    "local_ray",
]
