"""Clusters that grow: the autoscaler is asked for machines while a study runs, and for none afterwards."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray.autoscaler.sdk import request_resources

from cluster.base import WORKER
from cluster.errors import ClusterError

FIRST_WITHIN_S = 1800.0


@contextmanager
def asked_for(workers: int, first_within_s: float = FIRST_WITHIN_S) -> Iterator[None]:
    """Asks for machines for the length of a `with` block, which begins when the first is there.

    Asking is needed: trials are started for machines that are there, so a cluster would not grow by itself.

    Args:
        workers: How many, each with one `antisample_worker` among its resources; 0 asks for nothing.
        first_within_s: Seconds to wait for the first.

    Raises:
        ClusterError: If none comes.
    """
    if workers == 0:
        yield
        return
    request_resources(bundles=[{WORKER: 1}] * workers)
    try:
        deadline = time.monotonic() + first_within_s
        while WORKER not in ray.cluster_resources():  # type: ignore[no-untyped-call]
            if time.monotonic() > deadline:
                raise ClusterError(
                    [f"No worker has started within {first_within_s:g} s; `ray status` may show the reason."]
                )
            time.sleep(1)
        yield
    finally:
        if ray.is_initialized():
            request_resources(bundles=[])
