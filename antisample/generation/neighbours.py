"""The retain images farthest from each forget image, by exact arithmetic at the speed of low precision.

A squared distance between images is a weighted sum over channels of |u|^2 + |r|^2 - 2 u.r, and pixels are whole
numbers. Centred to -128..127 they fit 8 bits, and the product of a block of 1,024 pixels stays within 2^24, which
float32 holds exactly in whatever order it is summed. So the matrix products, which are nearly all of the cost, run on
the fastest unit there is (8-bit products on CPUs that have them, 16-bit floats on GPUs) and lose nothing. Only their
weighted sum over the blocks is rounded, to a few parts in 2^24: what that could put out of order is ranked again in
whole numbers.
"""

import torch
from torch import Tensor

from antisample.errors import ConfigError

_BLOCK = 1024  # pixels: 2^10 products of at most 2^14
_CHUNKS = {"cpu": (2**22, 2048), "cuda": (2**28, 2**16)}
"""Distances and pixels at once, 16 MiB and 1 GiB as float32, and retain images at once: on CPUs as caches hold."""
_PAIR_ELEMENTS = 2**25
_GROUP = 32
_SPARE_CANDIDATES = 8


def farthest_neighbours(forget: Tensor, retain: Tensor, k: int, scale: Tensor) -> Tensor:
    """Finds the `k` retain images farthest from every forget image by Euclidean distance, farthest first.

    Args:
        forget: uint8 images [n, channels, ...], n at least 1; or float32, whose distances are float64.
        retain: Images [m, channels, ...] of the same type on the same device.
        k: Neighbours an image, in [1, m].
        scale: How much a step of a pixel's value moves the model's input, a value a channel: 1 / (255 std).

    Returns:
        int64 positions in `retain`, [n, k]. Of retain images at the same distance the first comes first.

    Raises:
        ConfigError: If `k` is out of range or there is nothing to rank.
    """
    _check(len(forget), len(retain), k)
    if forget.is_floating_point():
        by_channel = scale.double().view(1, -1, *[1] * (forget.dim() - 2))
        return _farthest_of_floats(forget.double() * by_channel, retain, by_channel, k)
    weights = scale.double().square()
    shortlist = min(k + _SPARE_CANDIDATES, len(retain))
    neighbours = torch.empty(len(forget), k, dtype=torch.int64, device=forget.device)
    everyone = torch.arange(len(retain), device=retain.device)
    elements, columns = _CHUNKS[forget.device.type]
    columns = min(len(retain), columns)
    if forget.device.type == "cuda":
        columns = min(columns, max(1, elements // forget[0].numel()))
    rows = max(1, elements // columns)
    for top in range(0, len(forget), rows):
        some = forget[top : top + rows]
        rough, candidates, error = _shortlist(some, retain, shortlist, columns, weights)
        neighbours[top : top + rows] = _ranked(some, retain, rough, candidates, error, weights)[:, :k]
        if shortlist < len(retain):
            cut_off = rough[:, k - 1] - rough[:, -1] <= 2 * error
            for row in torch.nonzero(cut_off).flatten().tolist():
                squared = _exact(some, retain, torch.full_like(everyone, row), everyone, weights)
                neighbours[top + row] = squared.argsort(descending=True, stable=True)[:k]
    return neighbours


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
    rows = max(1, _CHUNKS[forget.device.type][0] // retain.numel())
    parts = [
        (forget[top : top + rows, None].double() - retain.double()).square().sum(-1)
        for top in range(0, len(forget), rows)
    ]
    return torch.cat([squared.argsort(dim=1, descending=True, stable=True)[:, :k] for squared in parts])


def _farthest_of_floats(forget: Tensor, retain: Tensor, by_channel: Tensor, k: int) -> Tensor:
    """`farthest_neighbours` for images of floats, scaled already in `forget`: by products in float64."""
    asked = forget.flatten(1)
    elements, columns = _CHUNKS[forget.device.type]
    rows = max(1, elements // len(retain))
    parts = []
    for some in torch.split(asked, rows):
        squared = torch.empty(len(some), len(retain), dtype=torch.float64, device=some.device)
        for left in range(0, len(retain), columns):
            pool = (retain[left : left + columns].double() * by_channel).flatten(1)
            squared[:, left : left + columns] = pool.square().sum(1) - 2 * some @ pool.T
        parts.append(squared.argsort(dim=1, descending=True, stable=True)[:, :k])
    return torch.cat(parts)


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
    dtype = _product_dtype(device)
    queries = _blocks(forget, dtype)
    each = weights.repeat_interleave(len(queries) // forget.shape[1]).tolist()
    best = torch.full((n, count), -torch.inf, device=device)
    positions = torch.zeros(n, count, dtype=torch.int64, device=device)
    longest = torch.zeros(len(queries), device=device)  # |r| of each block
    for left in range(0, len(retain), columns):
        pool = _blocks(retain[left : left + columns], dtype)
        norms = torch.stack([_squared_lengths(block) for block in pool])
        longest = torch.maximum(longest, norms.amax(1).sqrt())
        base = torch.tensor(each, dtype=torch.float64, device=device) @ norms.double()
        squared = base.float().expand(n, -1).contiguous()
        for query, block, weight in zip(queries, pool, each, strict=True):
            _add_product(squared, query, block, -2 * weight)
        largest = _largest if device.type == "cuda" else torch.topk
        rough, where = largest(squared, min(count, squared.shape[1]))
        best, order = torch.cat([best, rough], dim=1).topk(count, dim=1)
        positions = torch.cat([positions, where + left], dim=1).gather(1, order)
    # At most 3 roundings a block, 2 of the sum and 3 of rounded lengths, each by 2^-24 of at most |r|^2 + 2 |u| |r|.
    lengths = torch.stack([_squared_lengths(query).sqrt() for query in queries], dim=1).double()
    reach = (
        longest.double() * (longest.double() + 2 * lengths) @ torch.tensor(each, dtype=torch.float64, device=device)
    )
    return best, positions, (3 * len(queries) + 5) * 2**-24 * reach


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
    some = max(1, _PAIR_ELEMENTS // forget.shape[1:].numel())
    pairs = zip(torch.split(rows, some), torch.split(columns, some), strict=True)
    squared = [(forget[row].int() - retain[column].int()).flatten(2).square().sum(2) for row, column in pairs]
    return torch.cat(squared).double() @ weights


def _largest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest `count` of each row and their columns, from the groups with the largest maxima; fast on GPUs."""
    groups = values.shape[1] // _GROUP
    if groups < 2 * count:
        largest, columns = values.topk(count, dim=1)
        return largest, columns
    grouped = values[:, : groups * _GROUP].view(-1, _GROUP, groups)  # every so many columns make a group
    best = grouped.amax(1).topk(count, dim=1).indices
    members = torch.arange(_GROUP, device=values.device) * groups
    columns = (best[:, None] + members[:, None]).flatten(1)
    rest = torch.arange(groups * _GROUP, values.shape[1], device=values.device).expand(len(values), -1)
    columns = torch.cat([columns, rest], dim=1)
    largest, order = values.gather(1, columns).topk(count, dim=1)
    return largest, columns.gather(1, order)


def _product_dtype(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        return torch.float16
    return torch.int8 if torch.cpu._is_vnni_supported() else torch.float32


def _blocks(images: Tensor, dtype: torch.dtype) -> list[Tensor]:
    """Pixels less 128 as [n, up to 1,024], first channel first, equally many a channel."""
    centred = (images ^ 128).view(torch.int8).flatten(2)
    if dtype == torch.float16:
        centred = centred.to(dtype)  # once; views of it will do, since cuBLAS takes rows apart from each other
    blocks = [block for channel in centred.unbind(1) for block in torch.split(channel, _BLOCK, dim=1)]
    if dtype == torch.float16:
        return blocks
    if dtype == torch.int8:  # torch._int_mm 2.14.1 multiplies single columns wrongly
        blocks = [torch.nn.functional.pad(block, (0, 1)) if block.shape[1] == 1 else block for block in blocks]
    return [block.to(dtype).contiguous() for block in blocks]


def _squared_lengths(block: Tensor) -> Tensor:
    """|r|^2 of each row, float32: whole numbers up to 2^24, exact on CPUs; on GPUs, in one pass, to 3 roundings."""
    if block.dtype == torch.float16:
        lengths: Tensor = torch.linalg.vector_norm(block, dim=1, dtype=torch.float32)
        return lengths.square()
    return block.float().square().sum(1)


def _add_product(total: Tensor, queries: Tensor, block: Tensor, factor: float) -> None:
    """Adds `factor` times queries [n, d] times block^T [d, m] to float32 [n, m]; the product itself is exact."""
    if queries.dtype == torch.int8:
        total.add_(torch._int_mm(queries, block.T), alpha=factor)
    elif queries.dtype == torch.float16:
        torch.addmm(total, queries, block.T, alpha=factor, out_dtype=torch.float32, out=total)
    else:
        total.addmm_(queries, block.T, alpha=factor)
