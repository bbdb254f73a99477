"""What a study has to find as it was whenever it goes on: data, splits, original model, and plug-ins on each node."""

import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from antisample.errors import DataError
from antisample.plugins.discovery import Plugin
from antisample.plugins.requirements import check_plugins
from tuning.worker.inputs import RequestInputs


def fingerprints_of(inputs: RequestInputs) -> dict[str, str]:
    """Digests of data, splits (one for each request, commas between) and original model."""
    first = inputs[0]
    return {
        "data": first.dataset.fingerprint,
        "splits": ",".join(each.splits.fingerprint for each in inputs),
        "model": first.original.fingerprint,
    }


def check_fingerprints(directory: Path, known: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Compares what a study began with and what there is now.

    Args:
        directory: Of the study, for the message.
        known: What it noted.
        found: See `fingerprints_of`.

    Raises:
        DataError: If something is another one; all of it is named.
    """
    changed = [name for name, digest in known.items() if digest != found[name]]
    if changed:
        raise DataError(
            f"{directory}: changed since the study was started: {' and '.join(changed)}, so new trials would not be "
            "comparable with its old ones. Restore them, or start a study with another `name`."
        )


def check_node(plugins: Iterable[Plugin]) -> None:
    """Makes sure that this node has the plug-ins of the driver, in the same versions.

    Raises:
        ConfigError: With the name and version of each package that is needed.
    """
    check_plugins(plugins, f"The worker on {socket.gethostname()}", same_version=True)
