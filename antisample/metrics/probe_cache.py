"""What the probe says of the original and of an untrained network does not change: it is measured once and kept."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from antisample.metrics import EvaluationSubject, ProbeAnchors
from antisample.metrics.probe import probe_anchors
from antisample.storage.cache import Cache
from antisample.storage.state_file import load_state, save_state

_VERSION = 2


def kept_anchors(subject: EvaluationSubject, cache_dir: Path | str) -> ProbeAnchors:
    """Measures both networks, or reads what an earlier run has measured.

    Those of a user's own architecture are measured each time: its code may change while its weights stay.

    Args:
        subject: The original with its data.
        cache_dir: See `Cache.at`; files are kept in its folder `probes`, named by all that they depend on.

    Raises:
        ConfigError: If the network has no stages.
        DataError: If the cache cannot be written.
        StorageError: If the cache is an object store and cannot be asked.
    """
    if ":" in subject.original.name:
        return probe_anchors(subject)
    cache = Cache.at(cache_dir)
    path = cache.folder / "probes" / f"{_key(subject)}.pt"
    cache.fetch(path)
    cached = load_state(path)
    if cached is None:
        anchors = probe_anchors(subject)
        save_state(path, dataclasses.asdict(anchors))
        cache.share(path)
        return anchors
    return ProbeAnchors(**cached)


def _key(subject: EvaluationSubject) -> str:
    original = subject.original
    everything: tuple[Any, ...] = (
        _VERSION,
        subject.dataset.fingerprint,
        subject.splits.fingerprint,
        original.name.lower(),
        original.fingerprint,
        original.preprocessing.mean,
        original.preprocessing.std,
        original.stage_names(subject.dataset),
        subject.settings.seed,
        subject.device.type,
        json.dumps(original.arguments, sort_keys=True),
    )
    return hashlib.blake2b(repr(everything).encode(), digest_size=16).hexdigest()
