"""Looks at a running cluster before a study trusts it; every finding says what to do."""

import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import ray
from ray import cloudpickle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cluster import node_facts
from cluster.node_facts import facts_of_this_node

CLOCKS_S = 1.0
_TIMEOUT_S = 120


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        good: Whether it is as it must be.
        what: What was found.
        advice: What to do about it; empty where nothing is wrong.
    """

    good: bool
    what: str
    advice: str = ""


@dataclass(frozen=True)
class Store:
    """An object store that every node must read and write.

    Attributes:
        address: As it is shown.
        scheme: `s3` or `gs`.
        path: Bucket and folder.
        options: Of Arrow's file system, by name.
    """

    address: str
    scheme: str
    path: str
    options: dict[str, str]


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
    nodes, findings = _ask_all(shared_dir, store)
    findings += [_same(nodes, here, fact) for fact in ("antisample", "python", "torch", "ray")]
    findings += [_one_place(name, facts) for name, facts in nodes.items()]
    findings += [_gpus(name, facts) for name, facts in nodes.items() if facts["declared_gpus"] or facts["gpus"]]
    findings += [_clock(name, facts) for name, facts in nodes.items()]
    if shared_dir is not None:
        findings += [_shared(name, facts, shared_dir) for name, facts in nodes.items()]
    if store is not None:
        findings += [_reached(name, facts, store) for name, facts in nodes.items()]
    if tracking_uri is not None and tracking_uri.startswith("http"):
        findings.append(_tracking(tracking_uri))
    return findings


def _ask_all(shared_dir: Path | None, store: Store | None) -> tuple[dict[str, dict[str, Any]], list[Finding]]:
    """What each node says of itself, by its address, and which ones said nothing."""
    nonce = uuid.uuid4().hex
    parcel = (store.scheme, store.path, store.options) if store is not None else None
    answers: dict[str, dict[str, Any]] = {}
    findings: list[Finding] = []
    alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    with _marked(shared_dir, nonce) as problem:
        findings += [problem] if problem is not None else []
        for node in alive:
            said = _ask(node, str(shared_dir) if shared_dir is not None else None, nonce, parcel)
            if isinstance(said, Finding):
                findings.append(said)
            else:
                answers[f"{node['NodeManagerAddress']} ({said['host']})"] = said
    return answers, findings


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
        problem = Finding(False, what, "Mount the shared folder on this machine, writable for this user.")
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
    ask = ray.remote(num_cpus=0, scheduling_strategy=there)(facts_of_this_node)
    try:
        ray.get(ask.remote(None, ""), timeout=_TIMEOUT_S)  # starts the worker, so that the next answer is quick
        asked = time.time()
        facts: dict[str, Any] = ray.get(ask.remote(None, nonce), timeout=_TIMEOUT_S)
        heard, clock = time.time(), facts["time"]
        facts |= ray.get(ask.remote(place, nonce, parcel), timeout=_TIMEOUT_S)
    except (ray.exceptions.RayError, ray.exceptions.GetTimeoutError) as error:
        reason = str(error).strip().splitlines()[-1]
        what = f"{node['NodeManagerAddress']} does not answer: {reason}"
        return Finding(False, what, "Look at Ray's log on that node.")
    # The least that the clocks can differ by, whatever the way of the message took.
    clock_s = max(asked - clock, clock - heard, 0.0)
    return {**facts, "clock_s": clock_s, "declared_gpus": node["Resources"].get("GPU", 0.0)}


def _same(nodes: dict[str, dict[str, Any]], here: dict[str, Any], fact: str) -> Finding:
    other = {name: facts[fact] for name, facts in nodes.items() if facts[fact] != here[fact]}
    if not other:
        return Finding(True, f"{fact} {here[fact]} on every node")
    absent = [name for name, version in other.items() if version is None]
    if fact == "antisample" and len(absent) == len(other):
        return Finding(True, f"antisample is not installed on {_listed(absent)}: it travels with the study", "")
    shown = _listed(f"{version or 'none'} on {name}" for name, version in other.items())
    return Finding(False, f"{fact} {here[fact]} here, but {shown}", f"Install {fact} {here[fact]} there.")


def _one_place(name: str, facts: dict[str, Any]) -> Finding:
    places = facts["places"]
    if len(set(places.values())) <= 1:
        return Finding(True, f"{name}: all four packages from one place")
    shown = _listed(f"{package} from {place or 'nowhere'}" for package, place in places.items())
    return Finding(False, f"{name}: {shown}", "Install the program once, and start Ray outside of its folders.")


def _gpus(name: str, facts: dict[str, Any]) -> Finding:
    declared, seen = facts["declared_gpus"], facts["gpus"]
    if declared == seen:
        return Finding(True, f"{name}: {seen} GPUs, as declared")
    return Finding(
        False,
        f"{name}: Ray hands out {declared:g} GPUs, torch sees {seen}",
        "Start Ray with --num-gpus as many as there are, and install a torch for this driver's CUDA.",
    )


def _clock(name: str, facts: dict[str, Any]) -> Finding:
    if facts["clock_s"] <= CLOCKS_S:
        return Finding(True, f"{name}: clock within {CLOCKS_S:g} s of this one")
    return Finding(
        False, f"{name}: clock differs by {facts['clock_s']:.1f} s", "Keep the clocks with NTP, such as chrony."
    )


def _shared(name: str, facts: dict[str, Any], shared_dir: Path) -> Finding:
    if facts["shared"] == "":
        return Finding(True, f"{name}: reads and writes {shared_dir}")
    return Finding(
        False,
        f"{name}: {shared_dir} {facts['shared']}",
        "Mount the same folder under the same path on every node, writable for the user that runs Ray.",
    )


def _reached(name: str, facts: dict[str, Any], store: Store) -> Finding:
    if facts["store"] == "":
        return Finding(True, f"{name}: reads and writes {store.address}")
    return Finding(
        False,
        f"{name}: {store.address} {facts['store']}",
        "Give every node credentials for it (environment, configuration file, or the role of the machine).",
    )


def _tracking(uri: str) -> Finding:
    try:
        with urlopen(f"{uri.rstrip('/')}/health", timeout=10) as answer:  # noqa: S310  (http, as checked)
            good = answer.status == 200
            said = f"answers with status {answer.status}"
    except (URLError, OSError) as error:
        good, said = False, f"does not answer ({getattr(error, 'reason', error)})"
    if good:
        return Finding(True, f"{uri} answers")
    advice = "Start it, for instance with `antisample cluster services`; a study delivers later what it misses."
    return Finding(False, f"{uri} {said}", advice)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
