"""Looks at a running cluster before a study trusts it; every finding says what to do."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cluster import findings, node_facts
from cluster.findings import Finding, Store
from cluster.node_facts import facts_of_this_node

_TIMEOUT_S = 120


def check_cluster(shared_dir: Path | None, tracking_uri: str | None, store: Store | None = None) -> list[Finding]:
    """Checks the cluster that this process has joined.

    Args:
        shared_dir: A folder that every node must read and write; None to leave it out.
        tracking_uri: The MLflow server that the driver must reach; None to leave it out.
        store: An object store; None to leave it out.

    Returns:
        Everything looked at, problems and not.
    """
    here = facts_of_this_node(None, "")
    nodes, results = _ask_all(shared_dir, store)
    results += [findings.same(nodes, here, fact) for fact in ("antisample", "python", "torch", "ray")]
    results += [findings.one_place(name, facts) for name, facts in nodes.items()]
    with_gpus = {name: facts for name, facts in nodes.items() if facts["declared_gpus"] or facts["gpus"]}
    results += [findings.gpus(name, facts) for name, facts in with_gpus.items()]
    results += [findings.clock(name, facts) for name, facts in nodes.items()]
    if shared_dir is not None:
        results += [findings.shared(name, facts, shared_dir) for name, facts in nodes.items()]
    if store is not None:
        results += [findings.reached(name, facts, store) for name, facts in nodes.items()]
    if tracking_uri is not None and tracking_uri.startswith("http"):
        results.append(findings.tracking(tracking_uri))
    return results


def _ask_all(shared_dir: Path | None, store: Store | None) -> tuple[dict[str, dict[str, Any]], list[Finding]]:
    """What each node says of itself, by its address, and which ones said nothing."""
    nonce = uuid.uuid4().hex
    parcel = (store.scheme, store.path, store.options) if store is not None else None
    answers: dict[str, dict[str, Any]] = {}
    silent: list[Finding] = []
    alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    with _marked(shared_dir, nonce) as problem:
        silent += [problem] if problem is not None else []
        for node in alive:
            said = _ask(node, str(shared_dir) if shared_dir is not None else None, nonce, parcel)
            if isinstance(said, Finding):
                silent.append(said)
            else:
                answers[f"{node['NodeManagerAddress']} ({said['host']})"] = said
    return answers, silent


@contextmanager
def _marked(shared_dir: Path | None, nonce: str) -> Iterator[Finding | None]:
    """Has a file in the shared folder that every node has to find; yields why there is none."""
    if shared_dir is None:
        yield None
        return
    try:
        (shared_dir / f".check-{nonce}").write_text(nonce)
        problem = None
    except OSError as error:
        what = f"{shared_dir} cannot be written here ({error.strerror})"
        problem = Finding(False, what, "Mount the shared directory on this machine, writable for this user.")
    try:
        yield problem
    finally:
        for path in shared_dir.glob(f".check-{nonce}*"):
            path.unlink(missing_ok=True)


def _ask(
    node: dict[str, Any], place: str | None, nonce: str, parcel: tuple[str, str, dict[str, str]] | None
) -> dict[str, Any] | Finding:
    """What one node says of itself, and how far its clock is from this one's."""
    cloudpickle.register_pickle_by_value(node_facts)  # type: ignore[no-untyped-call]  # a node need not have it
    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    ask = ray.remote(num_cpus=0)(facts_of_this_node).options(scheduling_strategy=there)
    try:
        ray.get(ask.remote(None, ""), timeout=_TIMEOUT_S)  # starts the worker, so that the next answer is quick
        asked = time.time()
        facts: dict[str, Any] = ray.get(ask.remote(None, nonce), timeout=_TIMEOUT_S)
        heard, clock = time.time(), facts["time"]
        facts |= ray.get(ask.remote(place, nonce, parcel), timeout=_TIMEOUT_S)
    except (ray.exceptions.RayError, ray.exceptions.GetTimeoutError) as error:
        reason = str(error).strip().splitlines()[-1]
        what = f"{node['NodeManagerAddress']} does not answer: {reason}"
        return Finding(False, what, "See Ray's log on that node.")
    # The least that the clocks can differ by, whatever the way of the message took.
    clock_s = max(asked - clock, clock - heard, 0.0)
    return {**facts, "clock_s": clock_s, "declared_gpus": node["Resources"].get("GPU", 0.0)}
