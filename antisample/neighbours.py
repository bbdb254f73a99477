"""The retain images farthest from each forget image, by exact arithmetic at the speed of low precision.

A squared distance between images is a weighted sum over channels of |u|^2 + |r|^2 - 2 u.r, and pixels are whole
numbers. Centred to -128..127 they fit int8, and the product of a block of 1,024 pixels stays within 2^24: int32 holds
it exactly, and so does float32, in whatever order it is summed. So the matrix products, which are nearly all of the
cost, run on the fastest unit there is and lose nothing. Only their weighted sum over the blocks is rounded: float32
makes a shortlist, float64 ranks it, and where the rounding could have kept a neighbour out, the row is ranked whole.
"""

import torch
from torch import Tensor

from antisample.errors import ConfigError

_BLOCK = 1024  # pixels: 2^10 products of at most 2^14
_CHUNK_ELEMENTS = 2**23  # numbers in a temporary: 32 MiB as int32
_SPARE_CANDIDATES = 16


def farthest_neighbours(forget: Tensor, retain: Tensor, k: int, scale: Tensor) -> Tensor:
    """Finds the `k` retain images farthest from every forget image by Euclidean distance, farthest first.

    Args:
        forget: uint8 images [n, channels, ...], n at least 1.
        retain: uint8 images [m, channels, ...] on the same device.
        k: Neighbours an image, in [1, m].
        scale: How much a step of a pixel's value moves the model's input, a value a channel: 1 / (255 std).

    Returns:
        int64 positions in `retain`, [n, k]. Of retain images at the same distance the first comes first.

    Raises:
        ConfigError: If `k` is out of range or there is nothing to rank.
    """
    check_neighbours(len(forget), len(retain), k)
    queries, pool = _centred(forget), _centred(retain)
    weights = scale.double().square().repeat_interleave(len(queries) // forget.shape[1])
    best = torch.full((len(forget), k), -torch.inf, dtype=torch.float64, device=forget.device)
    found = torch.zeros(len(forget), k, dtype=torch.int64, device=forget.device)
    rows, columns = _chunks(len(forget), len(retain))
    for left in range(0, len(retain), columns):
        part = [block[left : left + columns] for block in pool]
        # |u|^2 is the same for a whole row and does not change its order.
        norms = [block.float().square_().sum(1) for block in part]  # whole numbers up to 2^24: exact
        for top in range(0, len(forget), rows):
            dots = [_products(block[top : top + rows], other) for block, other in zip(queries, part, strict=True)]
            ranked = _Ranked(dots, norms, weights)
            _take_farther(ranked, left, best[top : top + rows], found[top : top + rows])
    return found


def farthest_points(forget: Tensor, retain: Tensor, k: int) -> Tensor:
    """`farthest_neighbours` for a few points in a plane instead of images, in float64.

    Args:
        forget: Points, float, [n, d].
        retain: Points, float, [m, d].
        k: Neighbours a point, in [1, m].

    Returns:
        int64 positions in `retain`, [n, k].

    Raises:
        ConfigError: If `k` is out of range or there is nothing to rank.
    """
    check_neighbours(len(forget), len(retain), k)
    rows = max(1, _CHUNK_ELEMENTS // retain.numel())
    parts = [
        (forget[top : top + rows, None].double() - retain.double()).square().sum(-1)
        for top in range(0, len(forget), rows)
    ]
    return torch.cat([squared.argsort(dim=1, descending=True, stable=True)[:, :k] for squared in parts])


def check_neighbours(n: int, m: int, k: int) -> None:
    """Raises ConfigError unless each of `n` forget images has `k` neighbours among `m` retain images."""
    if n == 0 or m == 0:
        raise ConfigError(f"Anti-samples need forget and retain images, but got {n} and {m}.")
    if not 1 <= k <= m:
        raise ConfigError(f"`tail_randomized` must be in [1, {m}] (retain images), but got {k}.")


class _Ranked:
    """Distances of some forget images to some retain images, without the part that is the same for a whole row.

    Args:
        dots: Products of each block, [rows, columns], whole numbers.
        norms: Squared lengths of the retain images' blocks, [columns].
        weights: float64, one a block.
    """

    def __init__(self, dots: list[Tensor], norms: list[Tensor], weights: Tensor) -> None:
        self._dots, self._norms, self._weights = dots, norms, weights.tolist()
        parts = list(zip(dots, norms, self._weights, strict=True))
        base = sum(weight * norm.double() for _, norm, weight in parts)
        self.rough = base.float().expand(dots[0].shape).clone()
        for dot, _, weight in parts:
            self.rough.add_(dot, alpha=-2 * weight)
        # Each of the blocks + 1 additions and products is off by at most 2^-24 of what it handles; |2 u.r| is at
        # most |u|^2 + |r|^2, of which 128^2 a pixel is the largest.
        largest = sum(4 * 2**14 * _BLOCK * weight for weight in self._weights)
        self.error = 2 * (len(dots) + 2) * 2**-24 * largest

    def exact(self, columns: Tensor) -> Tensor:
        """In float64, of each row's `columns`, int64 [rows, any number]."""
        total = torch.zeros(columns.shape, dtype=torch.float64, device=columns.device)
        for dot, norm, weight in zip(self._dots, self._norms, self._weights, strict=True):
            total += weight * (norm[columns].double() - 2 * dot.gather(1, columns).double())
        return total

    def rows(self, chosen: Tensor) -> "_Ranked":
        """The same for some rows."""
        return _Ranked(
            [dot[chosen] for dot in self._dots], self._norms, torch.tensor(self._weights, dtype=torch.float64)
        )


def _take_farther(ranked: _Ranked, left: int, best: Tensor, found: Tensor) -> None:
    """Updates the `best` distances of some rows, and where they were `found`, by a chunk that begins at `left`."""
    k, columns = best.shape[1], ranked.rough.shape[1]
    shortlist = min(k + _SPARE_CANDIDATES, columns)
    rough, candidates = ranked.rough.topk(shortlist, dim=1)
    _merge(best, found, ranked.exact(candidates), candidates + left)
    if shortlist < columns:
        unsure = torch.nonzero(rough[:, -1].double() + ranked.error >= best[:, -1]).flatten()
        for row in torch.split(unsure, max(1, _CHUNK_ELEMENTS // (4 * columns))):
            every = torch.arange(columns, device=row.device).expand(len(row), columns)
            whole = ranked.rows(row).exact(every)
            known = (found[row] >= left) & (found[row] < left + columns)
            before, places = best[row].masked_fill(known, -torch.inf), found[row]
            _merge(before, places, whole, every + left)
            best[row], found[row] = before, places


def _merge(best: Tensor, found: Tensor, distances: Tensor, positions: Tensor) -> None:
    """Keeps the farthest of both, farthest first; of equals the one that stands first in the retain set."""
    positions, order = positions.sort(dim=1)
    both = torch.cat([best, distances.gather(1, order)], dim=1)
    where = torch.cat([found, positions], dim=1)
    order = both.argsort(dim=1, descending=True, stable=True)[:, : best.shape[1]]
    best.copy_(both.gather(1, order))
    found.copy_(where.gather(1, order))


def _centred(images: Tensor) -> list[Tensor]:
    """Blocks of pixels less 128, int8 [n, up to 1,024], those of the first channel first, equally many a channel."""
    flat = (images ^ 128).view(torch.int8).flatten(2)
    return [block.contiguous() for channel in flat.unbind(1) for block in torch.split(channel, _BLOCK, dim=1)]


def _products(queries: Tensor, pool: Tensor) -> Tensor:
    """All dot products of int8 rows, exact: int32 where the processor multiplies int8, float32 elsewhere."""
    # torch._int_mm (2.14.1) reads single columns wrongly.
    if queries.device.type == "cpu" and queries.shape[1] > 1 and torch.cpu._is_vnni_supported():
        return torch._int_mm(queries, pool.T)
    return queries.float() @ pool.float().T


def _chunks(n: int, m: int) -> tuple[int, int]:
    """Rows and columns of a chunk: few columns and all rows, since each product reorders its columns once."""
    columns = min(m, 4096)
    return max(1, min(n, _CHUNK_ELEMENTS // columns)), columns
