"""The farthest neighbours of a forget request: found once, then shared by every trial that searches its parameters.

They depend on the data, the preprocessing and the request alone. A trial fine-tunes on a subset of the retain images,
and its neighbours are the first of the table's that lie in the subset.
"""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from antisample.data.loader import Normaliser, to_device
from antisample.generation.neighbours import farthest_neighbours
from antisample.storage.cache import Cache
from antisample.storage.state_file import load_state, save_state
from antisample.types import Dataset, ImageSet, IndexArray, Preprocessing, Splits

WIDTH = 512
"""Neighbours kept of each image: of a subset of 30 % some 150 are left, three times what is searched."""

_VERSION = 1  # of the algorithm; another one would have other neighbours


@dataclass(frozen=True)
class NeighbourTable:
    """The farthest retain images of each image of a class to forget.

    Attributes:
        forget: Positions in the training split of the images to forget, int64, [n].
        farthest: Positions in the training split of their farthest retain images, farthest first, int32, [n, width].
        elapsed_s: Seconds it took to find them.
    """

    forget: IndexArray
    farthest: npt.NDArray[np.int32]
    elapsed_s: float

    def among(self, images: ImageSet, pool: IndexArray, k: int, scale: Tensor) -> Tensor:
        """The farthest neighbours in a part of the retain images, the same that a search of this part finds.

        Args:
            images: The training split.
            pool: Positions in it of the images to choose from, ascending, retain images all, at least `k`.
            k: Neighbours an image, at least 1.
            scale: See `farthest_neighbours`; its device is where to compute.

        Returns:
            int64 places in `pool`, [n, k], on the device of `scale`.

        Raises:
            ConfigError: If `k` is larger than the pool.
        """
        device = scale.device
        place = torch.full((len(images),), -1, dtype=torch.int64, device=device)
        place[torch.from_numpy(pool).to(device)] = torch.arange(len(pool), device=device)
        places = place[torch.from_numpy(self.farthest).to(device, torch.int64)]
        first = (places < 0).to(torch.uint8).argsort(dim=1, stable=True)[:, :k]
        neighbours = torch.full((len(places), k), -1, dtype=torch.int64, device=device)
        neighbours[:, : first.shape[1]] = places.gather(1, first)
        short = torch.nonzero(neighbours[:, -1] < 0).flatten()
        if len(short):  # the table does not reach far enough
            asked, _ = to_device(images, self.forget[short.cpu().numpy()], device)
            searched, _ = to_device(images, pool, device)
            neighbours[short] = farthest_neighbours(asked, searched, k, scale)
        return neighbours


def neighbour_tables(
    dataset: Dataset, splits: Splits, preprocessing: Preprocessing, device: torch.device, cache_dir: Path | str
) -> dict[int, NeighbourTable]:
    """Finds the neighbours of each class to forget among the retain images of other classes, or reads them.

    Args:
        dataset: The data.
        splits: What is to forget and what to retain.
        preprocessing: Says how much a step of a pixel counts in each channel.
        device: Where to compute.
        cache_dir: See `Cache.at`; files are kept in its folder `neighbours`, named by all that they depend on.

    Returns:
        A table by label.

    Raises:
        DataError: If the cache cannot be written.
        StorageError: If the cache is an object store and cannot be asked.
    """
    train, tables, cache = dataset.train, {}, Cache.at(cache_dir)
    scale = Normaliser(preprocessing, device).scale
    for label in splits.forget_classes:
        forget = splits.forget[train.labels[splits.forget] == label]
        pool = splits.retain[train.labels[splits.retain] != label]
        width = min(WIDTH, len(pool))
        path = cache.folder / "neighbours" / f"{_key(dataset, preprocessing, forget, pool, width)}.pt"
        cache.fetch(path)
        cached = load_state(path)
        if cached is None:
            started = time.perf_counter()
            asked, _ = to_device(train, forget, device)
            searched, _ = to_device(train, pool, device)
            places = farthest_neighbours(asked, searched, width, scale).cpu().numpy()
            farthest = torch.from_numpy(pool[places].astype(np.int32))
            cached = {"farthest": farthest, "elapsed_s": time.perf_counter() - started}
            save_state(path, cached)
            cache.share(path)
        tables[label] = NeighbourTable(forget, cached["farthest"].numpy(), cached["elapsed_s"])
    return tables


def _key(dataset: Dataset, preprocessing: Preprocessing, forget: IndexArray, retain: IndexArray, width: int) -> str:
    digest = hashlib.blake2b(digest_size=16)
    # Neighbours do not move with the mean, nor with a factor that all channels share.
    scales = [std / preprocessing.std[0] for std in preprocessing.std]
    digest.update(repr((_VERSION, dataset.fingerprint, scales, width)).encode())
    for part in (forget, retain):
        digest.update(len(part).to_bytes(8, "little") + part.tobytes())
    return digest.hexdigest()
