"""The search for exact and near copies of some images among others."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from antisample.duplicates.image_detail import SMALLEST, DetailOf, shifts, spread_shifts
from antisample.duplicates.perceptual_hash import perceptual_hashes
from antisample.types import ImageSet, IndexArray

SIMILAR = 0.9
"""Correlation of the detail of two images from which on they count as copies; benchmarks/bench_copies.py chose it."""

_COARSE = 0.75
_HASH_BITS = 8
_ROWS, _IMAGES, _PAIRS = 256, 4096, 4096


@dataclass(frozen=True)
class CopyPairs:
    """Which images are copies of which.

    Attributes:
        of: Positions of the originals, int64, [n].
        copies: Positions of the copies, int64, [n].
        similarity: Correlation of their detail, float32, [n]; 1 for exact copies.
        exact: Whether all pixels are the same, bool, [n].
    """

    of: IndexArray
    copies: IndexArray
    similarity: npt.NDArray[np.float32]
    exact: npt.NDArray[np.bool_]


def finds_near_copies(pixels: npt.NDArray[np.uint8 | np.float32]) -> bool:
    """Whether near copies are found of images like these, or identical ones alone: floats, say, may be no pixels."""
    _, channels, height, width = pixels.shape
    return pixels.dtype == np.uint8 and channels in (1, 3) and height == width >= SMALLEST


class CopySearch:
    """Finds copies of some images: the same pixels, or the same detail, shifted by at most a sixteenth of the side.

    Candidates are images whose coarse detail is near that of an image, as it is or shifted, and those whose hash is
    near; candidates whose fine detail correlates by at least `SIMILAR` are copies. Of images below 16 x 16 pixels, of
    those that are no square, grey or colour pictures, and of images without detail, only exact copies are found.

    Args:
        images: Where the images are.
        positions: Which they are.
        progress: Is called with the share of a search that is done and the seconds that it has taken.
    """

    def __init__(
        self, images: ImageSet, positions: IndexArray, progress: Callable[[float, float], None] = lambda *_: None
    ) -> None:
        self._positions, self._progress = positions, progress
        pixels = images.images[positions]
        self._digests: dict[bytes, int] = {}
        for i, image in enumerate(pixels):
            self._digests.setdefault(_digest(image), i)
        self._is_exact = not finds_near_copies(pixels)
        if self._is_exact:
            return
        self._detail = DetailOf(pixels)
        self._lattice = spread_shifts(self._detail.reach)
        self._coarse = torch.stack([self._detail.coarse(shift) for shift in self._lattice], dim=1).flatten(0, 1)
        self._hashes = perceptual_hashes(self._detail.luminance)

    def among(self, images: ImageSet, positions: IndexArray) -> CopyPairs:
        """Searches.

        Args:
            images: Where to look.
            positions: Which of them are looked at.

        Returns:
            Each copy once, with the image that it is most like, by position.
        """
        best: dict[int, tuple[float, int, bool]] = {}
        started = time.monotonic()
        for start in range(0, len(positions), _IMAGES):
            some = positions[start : start + _IMAGES]
            pixels = images.images[some]
            for at, image in enumerate(pixels):
                original = self._digests.get(_digest(image))
                if original is not None:
                    best[int(some[at])] = (1.0, original, True)
            if not self._is_exact:
                for at, original, similarity in self._near(pixels):
                    if best.get(int(some[at]), (0.0,))[0] < similarity:
                        best[int(some[at])] = (similarity, original, False)
            self._progress(min(1.0, (start + _IMAGES) / len(positions)), time.monotonic() - started)
        copies = sorted(best)
        found = [best[copy] for copy in copies]
        return CopyPairs(
            self._positions[np.array([original for _, original, _ in found], np.int64)],
            np.array(copies, np.int64),
            np.array([similarity for similarity, _, _ in found], np.float32),
            np.array([exact for _, _, exact in found], bool),
        )

    def _near(self, pixels: npt.NDArray[np.uint8 | np.float32]) -> Iterator[tuple[int, int, float]]:
        """Near copies among some images: place, place of the original, similarity."""
        detail = DetailOf(pixels)
        candidates = torch.cat([self._coarse_candidates(detail), self._hash_candidates(detail)])
        fine = detail.fine((0, 0))
        for shift in shifts(detail.reach):
            beside = torch.tensor([_is_beside(shift, other) for other in self._lattice])
            for some in torch.split(candidates[beside[candidates[:, 1]]], _PAIRS):
                ours = self._detail.fine(shift, some[:, 0])
                similarity = (ours * fine[some[:, 2]]).sum(1)
                close = similarity >= SIMILAR
                originals, _, places = some[close].T.tolist()
                yield from zip(places, originals, similarity[close].clamp(max=0.9999).tolist(), strict=True)

    def _coarse_candidates(self, detail: DetailOf) -> Tensor:
        """Place of ours, number of the shift, and place of theirs, where coarse detail is near."""
        theirs, pairs = detail.coarse((0, 0)), [torch.empty(0, 2, dtype=torch.int64)]
        for top in range(0, len(self._coarse), _ROWS):
            for left in range(0, len(theirs), 4 * _ROWS):  # what fits into the cache of a core
                near = self._coarse[top : top + _ROWS] @ theirs[left : left + 4 * _ROWS].T
                rows = torch.nonzero(near.amax(1) > _COARSE)[:, 0]
                if len(rows):
                    row, column = torch.nonzero(near[rows] > _COARSE).T
                    pairs.append(torch.stack([rows[row] + top, column + left], dim=1))
        ours, place = torch.cat(pairs).T
        n = len(self._lattice)
        return torch.stack([ours // n, ours % n, place], dim=1)

    def _hash_candidates(self, detail: DetailOf) -> Tensor:
        """Likewise, where perceptual hashes differ by few bits."""
        theirs, unshifted = perceptual_hashes(detail.luminance), self._lattice.index((0, 0))
        rows = []
        for top in range(0, len(self._hashes), _ROWS):
            bits = np.bitwise_count(self._hashes[top : top + _ROWS, None] ^ theirs[None])
            ours, place = np.nonzero(bits <= _HASH_BITS)
            rows.append(np.stack([ours + top, np.full_like(ours, unshifted), place], axis=1))
        return torch.from_numpy(np.concatenate(rows))


def _is_beside(shift: tuple[int, int], other: tuple[int, int]) -> bool:
    return abs(shift[0] - other[0]) + abs(shift[1] - other[1]) <= 1


def _digest(image: npt.NDArray[np.uint8 | np.float32]) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
