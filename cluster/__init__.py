"""Launchers: where Ray runs. Imports none of the other packages."""

from cluster.local import local_ray

__all__ = ["local_ray"]
