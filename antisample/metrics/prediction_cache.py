"""What the original model and the retrained reference say: they do not change, so it is predicted once and kept."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from antisample.metrics import PARTS, EvaluationSubject, Predictions
from antisample.storage.cache import Cache
from antisample.storage.state_file import load_state, save_state
from antisample.types import SplitName

_VERSION = 1


def kept_predictions(subject: EvaluationSubject, weights: str, cache_dir: Path | str) -> dict[SplitName, Predictions]:
    """Predicts every part, or reads what an earlier run has predicted.

    Those of a user's own model are predicted each time: its code may change while its weights stay.

    Args:
        subject: The network with its data.
        weights: Digest of its weights.
        cache_dir: See `Cache.at`; files are kept in its folder `predictions`, named by all that they depend on.

    Returns:
        Predictions by part.

    Raises:
        DataError: If the cache cannot be written.
        StorageError: If the cache is an object store and cannot be asked.
    """
    if ":" in subject.original.name:
        return {part: subject.predictions(part) for part in PARTS}
    cache = Cache.at(cache_dir)
    path = cache.folder / "predictions" / f"{_key(subject, weights)}.pt"
    cache.fetch(path)
    cached = load_state(path)
    if cached is None:
        by_part = {part: subject.predictions(part) for part in PARTS}
        save_state(path, {part: _as_tensors(predictions) for part, predictions in by_part.items()})
        cache.share(path)
        return by_part
    return {
        part: Predictions(
            **{name: tensor.numpy() for name, tensor in cached[part].items()}
        )  # forget: only with samples
        for part in PARTS
    }


def _as_tensors(predictions: Predictions) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in vars(predictions).items() if array is not None}


def _key(subject: EvaluationSubject, weights: str) -> str:
    preprocessing, arguments = subject.original.preprocessing, subject.original.arguments
    everything: tuple[Any, ...] = (
        _VERSION,
        subject.dataset.fingerprint,
        subject.splits.fingerprint,
        subject.original.name.lower(),
        weights,
        preprocessing.mean,
        preprocessing.std,
        subject.settings.max_train_images,
        subject.device.type,
        *([json.dumps(arguments, sort_keys=True)] if arguments else []),
    )
    return hashlib.blake2b(repr(everything).encode(), digest_size=16).hexdigest()
