"""Trained models in a cache: found there, or else trained once and kept for everybody."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from antisample.checkpoints.checkpoint import Checkpoint, load_checkpoint, pack_checkpoint
from antisample.errors import DataError
from antisample.storage.atomic import atomic_write
from antisample.storage.cache import Cache

_T = TypeVar("_T")


def find_or_train(cache: Cache, path: Path, load: Callable[[Checkpoint], _T], train: Callable[[], Checkpoint]) -> _T:
    """Loads a model from the cache, or trains it and keeps it there.

    Where several train the same at once, all of them take the model of the first one that is ready: on a GPU, or on
    different machines, trainings that agree in everything may end with other last digits, and a study that has noted
    its original model finds that one again. `Cache.add` says how sure this is.

    Args:
        cache: Where it is kept.
        path: Its file in the cache, named by all that it depends on.
        load: Makes of the file's content what is returned; a DataError says that it is damaged.
        train: Called if there is none.

    Raises:
        DataError: If the cache cannot be written.
        StorageError: If the cache is an object store and cannot be asked.
    """
    cache.fetch(path)
    model = _loaded(path, load)
    if model is not None:
        return model
    content = pack_checkpoint(train())
    if not cache.add(path, content):
        model = _loaded(path, load)
        if model is not None:
            return model
        with atomic_write(path) as unfinished:
            unfinished.write_bytes(content)
        cache.share(path)
    return load(load_checkpoint(path))


def _loaded(path: Path, load: Callable[[Checkpoint], _T]) -> _T | None:
    """What is in the cache; None if there is nothing, or if it is damaged and has to be trained again."""
    if not path.is_file():
        return None
    try:
        return load(load_checkpoint(path))
    except DataError:
        path.unlink(missing_ok=True)
        return None
