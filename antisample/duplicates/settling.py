"""From the splits of a request to those in which copies of images to forget are treated as the request says."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from antisample.data.forget_request import Duplicates
from antisample.data.split_checks import check_leftover
from antisample.data.splits import splits_digest
from antisample.duplicates.copy_search import SIMILAR, CopyPairs, CopySearch, finds_near_copies
from antisample.errors import ConfigError
from antisample.storage.cache import Cache
from antisample.storage.state_file import load_state, save_state
from antisample.types import CopyFacts, Dataset, ImageSet, IndexArray, SplitName, Splits

_VERSION = 1  # of the search; another one would find other copies
_MOST_PAIRS = 1000

Progress = Callable[[float, float], None]


def settle_copies(
    dataset: Dataset,
    splits: Splits,
    duplicates: Duplicates,
    cache_dir: Path | str,
    progress: Progress = lambda *_: None,
) -> Splits:
    """Looks for copies of the images to forget among the images to retain, of validation and of test.

    Where classes are to be forgotten, their own images are no copies, whatever they look like.

    Args:
        dataset: The data.
        splits: Of the request.
        duplicates: `report` counts copies; `forget` forgets those among the images to retain, and leaves those of
            validation and test out; `refuse` refuses the request if there are any.
        cache_dir: See `Cache.at`; what was found is kept in its folder `copies`.
        progress: See `CopySearch`.

    Returns:
        The splits, with `copies`.

    Raises:
        ConfigError: If there are copies and `duplicates` is `refuse`, or nothing would be left of a class or a split.
        DataError: If the cache cannot be written.
        StorageError: If the cache is an object store and cannot be asked.
    """
    places = _places(dataset, splits)
    pairs = _kept_pairs(dataset, splits.forget, places, Cache.at(cache_dir), progress)
    facts = CopyFacts(
        retain=len(pairs["train"].copies),
        validation=len(pairs["validation"].copies),
        test=len(pairs["test"].copies),
        exact=sum(int(each.exact.sum()) for each in pairs.values()),
        duplicates=duplicates,
        pairs=_listed(pairs, splits.validation_from),
    )
    settled = replace(splits, copies=facts)
    if not facts.total or duplicates == "report":
        return settled
    if duplicates == "refuse":
        raise ConfigError(
            f"{facts.describe()} `forget.duplicates` is refuse; remove them from the data, or set it to forget or "
            "report."
        )
    forget = np.union1d(splits.forget, pairs["train"].copies)
    classes = splits.forget_classes
    if splits.by_samples:
        classes = tuple(int(label) for label in np.unique(dataset.train.labels[forget]))
    settled = replace(
        settled,
        forget_classes=classes,
        forget=forget,
        retain=np.setdiff1d(splits.retain, forget),
        validation=np.setdiff1d(splits.validation, pairs["validation"].copies),
        test=np.setdiff1d(splits.test, pairs["test"].copies),
    )
    check_leftover(dataset, settled)
    return replace(settled, fingerprint=splits_digest(dataset, settled))


def _places(dataset: Dataset, splits: Splits) -> dict[SplitName, tuple[ImageSet, IndexArray]]:
    """Where to look: the images that no request is about."""
    validation = dataset.split(splits.validation_from)
    every: dict[SplitName, tuple[ImageSet, IndexArray]] = {
        "train": (dataset.train, splits.retain),
        "validation": (validation, splits.validation),
        "test": (dataset.test, splits.test),
    }
    if splits.by_samples:
        return every
    return {
        name: (images, positions[~np.isin(images.labels[positions], splits.forget_classes)])
        for name, (images, positions) in every.items()
    }


def _kept_pairs(
    dataset: Dataset,
    forget: IndexArray,
    places: Mapping[SplitName, tuple[ImageSet, IndexArray]],
    cache: Cache,
    progress: Progress,
) -> dict[SplitName, CopyPairs]:
    """The copies in each place, from the cache; near copies are searched and written to it if they are not there."""
    if not finds_near_copies(dataset.train.images):  # identical images are found again in no time
        search = CopySearch(dataset.train, forget, progress)
        return {name: search.among(*place) for name, place in places.items()}
    path = cache.folder / "copies" / f"{_key(dataset, forget, places)}.pt"
    cache.fetch(path)
    kept = load_state(path)
    if kept is None:
        search = CopySearch(dataset.train, forget, progress)
        found = {name: search.among(*place) for name, place in places.items()}
        kept = {
            name: {key: torch.from_numpy(value) for key, value in vars(each).items()} for name, each in found.items()
        }
        save_state(path, kept)
        cache.share(path)
    return {name: CopyPairs(**{key: value.numpy() for key, value in kept[name].items()}) for name in places}


def _key(dataset: Dataset, forget: IndexArray, places: Mapping[SplitName, tuple[ImageSet, IndexArray]]) -> str:
    digest = hashlib.blake2b(repr((_VERSION, SIMILAR, dataset.fingerprint)).encode(), digest_size=16)
    for part in (forget, *(positions for _, positions in places.values())):
        digest.update(len(part).to_bytes(8, "little") + part.tobytes())
    return digest.hexdigest()


def _listed(
    pairs: Mapping[SplitName, CopyPairs], validation_from: SplitName
) -> tuple[tuple[str, int, int, float], ...]:
    """Split and position of each copy, position of its original, and similarity; those most alike first."""
    splits = {"train": "train", "validation": validation_from, "test": "test"}
    rows = [
        (splits[name], int(copy), int(original), round(float(similarity), 3))
        for name, each in pairs.items()
        for original, copy, similarity in zip(each.of, each.copies, each.similarity, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: -row[3])[:_MOST_PAIRS])
