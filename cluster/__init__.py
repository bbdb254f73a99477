"""Launchers: where Ray runs. Imports none of the other packages."""

from cluster.local import early_ray, local_ray

__all__ = ["early_ray", "local_ray"]
