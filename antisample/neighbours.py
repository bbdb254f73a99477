"""The retain images farthest from each forget image, by exact arithmetic at the speed of low precision.

A squared distance between images is a weighted sum over channels of |u|^2 + |r|^2 - 2 u.r, and pixels are whole
numbers. Centred to -128..127 they fit bfloat16, and the product of a block of 1,024 pixels stays within 2^24, which
float32 holds exactly in whatever order it is summed. So the matrix products, which are nearly all of the cost, run on
the fastest unit there is and lose nothing. Only their weighted sum over the blocks is rounded, to a few parts in
2^24: what that could put out of order is ranked again in whole numbers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from antisample.errors import ConfigError

_BLOCK = 1024  # pixels: 2^10 products of at most 2^14
_CHUNK_ELEMENTS = 2**25  # numbers in the largest temporary: 128 MiB as float32
_CHUNK_COLUMNS = 4096
_SPARE_CANDIDATES = 8


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
    _check(len(forget), len(retain), k)
    weights = scale.double().square()
    shortlist = min(k + _SPARE_CANDIDATES, len(retain))
    found = torch.empty(len(forget), k, dtype=torch.int64, device=forget.device)
    everyone = torch.arange(len(retain), device=retain.device)
    columns = min(len(retain), _CHUNK_COLUMNS)
    rows = max(1, _CHUNK_ELEMENTS // columns)
    for top in range(0, len(forget), rows):
        some = forget[top : top + rows]
        rough, candidates, error = _shortlist(some, retain, shortlist, columns, weights)
        found[top : top + rows] = _ranked(some, retain, rough, candidates, error, weights)[:, :k]
        if shortlist < len(retain):
            cut_off = rough[:, k - 1] - rough[:, -1] <= 2 * error
            for row in torch.nonzero(cut_off).flatten().tolist():
                squared = _exact(some, retain, torch.full_like(everyone, row), everyone, weights)
                found[top + row] = squared.argsort(descending=True, stable=True)[:k]
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
    _check(len(forget), len(retain), k)
    rows = max(1, _CHUNK_ELEMENTS // retain.numel())
    parts = [
        (forget[top : top + rows, None].double() - retain.double()).square().sum(-1)
        for top in range(0, len(forget), rows)
    ]
    return torch.cat([squared.argsort(dim=1, descending=True, stable=True)[:, :k] for squared in parts])


def _check(n: int, m: int, k: int) -> None:
    if n == 0 or m == 0:
        raise ConfigError(f"Anti-samples need forget and retain images, but got {n} and {m}.")
    if not 1 <= k <= m:
        raise ConfigError(f"`tail_randomized` must be in [1, {m}] (retain images), but got {k}.")


def _shortlist(
    forget: Tensor, retain: Tensor, count: int, columns: int, weights: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The `count` farthest by squared distances in float32, less |u|^2, which is the same for a whole row.

    Returns:
        These distances, [n, count], the largest first; positions in `retain`; by how much those of a row may be off.
    """
    n, device = len(forget), forget.device
    queries = _blocks(forget)
    each = weights.repeat_interleave(len(queries) // forget.shape[1]).tolist()
    best = torch.full((n, count), -torch.inf, device=device)
    found = torch.zeros(n, count, dtype=torch.int64, device=device)
    longest = torch.zeros(len(queries), device=device)  # |r| of each block
    with _whole_products(device):
        for left in range(0, len(retain), columns):
            pool = _blocks(retain[left : left + columns])
            norms = torch.stack([block.square().sum(1) for block in pool])  # whole numbers up to 2^24: exact
            longest = torch.maximum(longest, norms.amax(1).sqrt())
            base = torch.tensor(each, dtype=torch.float64, device=device) @ norms.double()
            squared = base.float().expand(n, -1).clone()
            for query, block, weight in zip(queries, pool, each, strict=True):
                squared.addmm_(query, block.T, alpha=-2 * weight)
            rough, where = squared.topk(min(count, squared.shape[1]), dim=1)
            best, order = torch.cat([best, rough], dim=1).topk(count, dim=1)
            found = torch.cat([found, where + left], dim=1).gather(1, order)
    # At most 3 roundings a block and 2 more, each by 2^-24 of at most |r|^2 + 2 |u| |r|.
    lengths = torch.stack([query.square().sum(1).sqrt() for query in queries], dim=1).double()
    reach = (
        longest.double() * (longest.double() + 2 * lengths) @ torch.tensor(each, dtype=torch.float64, device=device)
    )
    return best, found, (3 * len(queries) + 2) * 2**-24 * reach


def _ranked(
    forget: Tensor, retain: Tensor, rough: Tensor, candidates: Tensor, error: Tensor, weights: Tensor
) -> Tensor:
    """The candidates in their true order: groups that the rounding cannot tell apart are ranked in whole numbers."""
    close = rough[:, :-1] - rough[:, 1:] <= 2 * error[:, None]
    apart = torch.nn.functional.pad(~close, (1, 0))
    group = apart.cumsum(1)
    unsure = torch.nn.functional.pad(close, (1, 0)) | torch.nn.functional.pad(close, (0, 1))
    exact = torch.zeros(rough.shape, dtype=torch.float64, device=rough.device)
    exact[unsure] = _exact(forget, retain, unsure.nonzero()[:, 0], candidates[unsure], weights)
    order = candidates.argsort(dim=1)
    order = order.gather(1, exact.gather(1, order).argsort(dim=1, descending=True, stable=True))
    order = order.gather(1, group.gather(1, order).argsort(dim=1, stable=True))
    return candidates.gather(1, order)


def _exact(forget: Tensor, retain: Tensor, rows: Tensor, columns: Tensor, weights: Tensor) -> Tensor:
    """Squared distances from forget images at `rows` to retain images at `columns`, float64 from whole numbers."""
    some = max(1, _CHUNK_ELEMENTS // forget.shape[1:].numel())
    pairs = zip(torch.split(rows, some), torch.split(columns, some), strict=True)
    squared = [(forget[row].int() - retain[column].int()).flatten(2).square().sum(2) for row, column in pairs]
    return torch.cat(squared).double() @ weights


def _blocks(images: Tensor) -> list[Tensor]:
    """Pixels less 128 as float32 [n, up to 1,024], first channel first, equally many a channel."""
    centred = (images ^ 128).view(torch.int8).flatten(2)
    return [block.float() for channel in centred.unbind(1) for block in torch.split(channel, _BLOCK, dim=1)]


@contextmanager
def _whole_products(device: torch.device) -> Iterator[None]:
    """Lets products of float32 matrices of such whole numbers run in bfloat16 or TF32, where that is faster."""
    if device.type == "cpu" and not torch.cpu._is_amx_tile_supported():
        yield
        return
    backend: Any = torch.backends.mkldnn if device.type == "cpu" else torch.backends.cuda
    settings = backend.matmul
    before = settings.fp32_precision
    settings.fp32_precision = "bf16" if device.type == "cpu" else "tf32"
    try:
        yield
    finally:
        settings.fp32_precision = before
