"""Anti-sample generation (Mondal & Samanta, PReMI 2025): noise around the retain images farthest from a forget image.

`antisample.generation.neighbours` finds these. Arguments keep their published names. Everything runs on the device
of its input and in chunks, so that memory grows with n + m, never with n x m, for n forget and m retain images.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from antisample.errors import ConfigError

Normalise = Callable[[Tensor], Tensor]

_CHUNK_ELEMENTS = 2**24  # numbers in the largest temporary: 64 MiB as float32


def draw_anti_samples(
    forget: Tensor,
    retain: Tensor,
    neighbours: Tensor,
    *,
    local_variance: float,
    size_multiplier: int,
    p: float,
    eps: float,
    normalise: Normalise,
    generator: torch.Generator,
) -> Tensor:
    """Draws noise around far neighbours f(u): each coordinate from a normal with mean f(u) with probability `p`.

    The standard deviation is (|u - f(u)| + eps) * local_variance, coordinate by coordinate; coordinates that are
    not drawn keep f(u). f(u) is drawn anew from `neighbours` in each of the `size_multiplier` rounds.

    Args:
        forget: Images u, [n, ...].
        retain: Images, [m, ...].
        neighbours: int64 positions in `retain`, [n, k]; k = 1 always takes the farthest.
        local_variance: Scale of the noise, larger than 0; published values 1 to 10.
        size_multiplier: Rounds, at least 1.
        p: Probability of a noisy coordinate, in [0, 1]; published 0.85 to 0.95.
        eps: Added to the distance, at least 0; published 0.01.
        normalise: Maps a batch of images to the model's float32 input.
        generator: On the device of `forget`.

    Returns:
        float32, [n * size_multiplier, d] in the normalised space.

    Raises:
        ConfigError: If an argument is out of its range.
    """
    problems = [
        f"`{name}` must be {rule}, but got {value}."
        for name, value, ok, rule in (
            ("local_variance", local_variance, local_variance > 0, "larger than 0"),
            ("size_multiplier", size_multiplier, size_multiplier >= 1, "at least 1"),
            ("p", p, 0 <= p <= 1, "in [0, 1]"),
            ("eps", eps, eps >= 0, "at least 0"),
        )
        if not ok
    ]
    if problems:
        raise ConfigError(problems)
    n, features, device = len(forget), forget[0].numel(), forget.device
    samples = torch.empty(size_multiplier * n, features, device=device)
    rows_per_chunk = max(1, _CHUNK_ELEMENTS // features)
    for first in range(0, len(samples), n):
        choice = torch.randint(neighbours.shape[1], (n, 1), generator=generator, device=device)
        farthest = neighbours.gather(1, choice).squeeze(1)
        for start in range(0, n, rows_per_chunk):
            stop = min(n, start + rows_per_chunk)
            u = normalise(forget[start:stop]).flatten(1)
            f = normalise(retain[farthest[start:stop]]).flatten(1)
            noise = torch.randn(u.shape, generator=generator, device=device)
            noise *= ((u - f).abs_() + eps) * local_variance
            noise *= torch.rand(u.shape, generator=generator, device=device) < p
            samples[first + start : first + stop] = f + noise
    return samples


def convex_combinations(samples: Tensor, count: int, temperature: float, generator: torch.Generator) -> Tensor:
    """Mixes samples with random convex weights: the softmax of standard normals, times `temperature`.

    Args:
        samples: float32, [n, d].
        count: Combinations to draw, at least 1.
        temperature: 1 is the published weighting; larger values make the weights sparser. Larger than 0.
        generator: On the device of `samples`.

    Returns:
        float32, [count, d].

    Raises:
        ConfigError: If an argument is out of its range.
    """
    if count < 1:
        raise ConfigError(f"`no_generated_data` must be at least 1, but got {count}.")
    if temperature <= 0:
        raise ConfigError(f"`combination_temperature` must be larger than 0, but got {temperature}.")
    combined = torch.empty(count, samples.shape[1], device=samples.device)
    rows_per_chunk = max(1, _CHUNK_ELEMENTS // len(samples))
    for start in range(0, count, rows_per_chunk):
        shape = (min(rows_per_chunk, count - start), len(samples))
        logits = torch.randn(shape, generator=generator, device=samples.device) * temperature
        combined[start : start + shape[0]] = logits.softmax(dim=1) @ samples
    return combined
