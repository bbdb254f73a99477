"""What is found on a cluster, judged: from what nodes say of themselves to sentences, with what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

CLOCKS_S = 1.0


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


def same(nodes: dict[str, dict[str, Any]], here: dict[str, Any], fact: str) -> Finding:
    """Whether every node has the version that this machine has."""
    other = {name: facts[fact] for name, facts in nodes.items() if facts[fact] != here[fact]}
    if not other:
        return Finding(True, f"{fact} {here[fact]} on every node")
    absent = [name for name, version in other.items() if version is None]
    if fact == "antisample" and len(absent) == len(other):
        return Finding(True, f"antisample is not installed on {_listed(absent)}: it is sent along with the study", "")
    versions = _listed(f"{version or 'none'} on {name}" for name, version in other.items())
    return Finding(False, f"{fact} {here[fact]} here, but {versions}", f"Install {fact} {here[fact]} there.")


def one_place(name: str, facts: dict[str, Any]) -> Finding:
    """Whether a node takes all four packages from one place."""
    places = facts["places"]
    if len(set(places.values())) <= 1:
        return Finding(True, f"{name}: all four packages from the same place")
    listed = _listed(f"{package} from {place or 'nowhere'}" for package, place in places.items())
    return Finding(
        False, f"{name}: {listed}", "Install the program only once, and start Ray outside its directories."
    )


def gpus(name: str, facts: dict[str, Any]) -> Finding:
    """Whether Ray hands out the GPUs that torch sees."""
    declared, seen = facts["declared_gpus"], facts["gpus"]
    if declared == seen:
        return Finding(True, f"{name}: {seen} GPUs, as configured")
    return Finding(
        False,
        f"{name}: Ray allocates {declared:g} GPUs, torch sees {seen}",
        "Start Ray with the actual number of GPUs (--num-gpus), and install a torch that supports the GPU driver.",
    )


def clock(name: str, facts: dict[str, Any]) -> Finding:
    """Whether a node's clock is near this one's."""
    if facts["clock_s"] <= CLOCKS_S:
        return Finding(True, f"{name}: clock within {CLOCKS_S:g} s of this one")
    return Finding(
        False,
        f"{name}: clock differs by {facts['clock_s']:.1f} s",
        "Synchronise the clocks with NTP, for example with chrony.",
    )


def shared(name: str, facts: dict[str, Any], shared_dir: Path) -> Finding:
    """Whether a node reads and writes the shared folder."""
    advice = "Mount the same directory under the same path on every node, writable for the user that runs Ray."
    return _storage(name, str(shared_dir), facts["shared"], advice)


def reached(name: str, facts: dict[str, Any], store: Store) -> Finding:
    """Whether a node reads and writes the object store."""
    advice = "Give every node credentials for it (environment, configuration file, or the role of the machine)."
    return _storage(name, store.address, facts["store"], advice)


def _storage(name: str, place: str, problem: str, advice: str) -> Finding:
    if problem == "":
        return Finding(True, f"{name}: reads and writes {place}")
    return Finding(False, f"{name}: {place} {problem}", advice)


def tracking(uri: str) -> Finding:
    """Whether the tracking server answers this machine."""
    try:
        with urlopen(f"{uri.rstrip('/')}/health", timeout=10) as answer:  # noqa: S310  (http, as checked)
            good = answer.status == 200
            said = f"answers with status {answer.status}"
    except (URLError, OSError) as error:
        good, said = False, f"does not answer ({getattr(error, 'reason', error)})"
    if good:
        return Finding(True, f"{uri} answers")
    advice = "Start it, for example with `antisample cluster services`; a study sends what is missing later."
    return Finding(False, f"{uri} {said}", advice)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
