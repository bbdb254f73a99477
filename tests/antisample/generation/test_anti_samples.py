"""Anti-sample generation against independent float64 renditions and against the moments of its definition."""

import numpy as np
import pytest
import torch

from antisample.errors import ConfigError
from antisample.generation.anti_samples import convex_combinations, draw_anti_samples
from antisample.generation.neighbours import farthest_neighbours, farthest_points


def as_float(images):
    return images.float() / 255


def identity(images):
    return images


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


SCALE = torch.full((3,), 1 / 255)


def pixels(n, seed, shape=(3, 8, 8)):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8))


def draw(forget, retain, neighbours, seed=0, **changes):
    arguments = {"local_variance": 2.0, "size_multiplier": 1, "p": 0.7, "eps": 0.01, **changes}
    return draw_anti_samples(forget, retain, neighbours, normalise=identity, generator=generator(seed), **arguments)


def test_noise_has_the_moments_of_its_definition():
    u, f = torch.tensor([[0.0, 1.0, -2.0, 0.5]]), torch.tensor([[1.0, 1.0, 2.0, 0.0]])
    n, p, variance, eps = 40_000, 0.7, 2.0, 0.01
    samples = draw(u.expand(n, 4), f, torch.zeros(n, 1, dtype=torch.int64), p=p, local_variance=variance, eps=eps)
    scale = ((u - f).abs() + eps) * variance
    unchanged = (samples == f).double().mean(0)
    np.testing.assert_allclose(unchanged, 1 - p, atol=4 * np.sqrt(p * (1 - p) / n))
    # A draw kept with probability p around f: mean f, variance p * scale^2, fourth moment 3 * p * scale^4.
    error = 4 * scale.squeeze() * np.sqrt(p / n)
    assert ((samples.double().mean(0) - f.squeeze()).abs() < error).all()
    ratio = samples.double().var(0) / (p * scale.squeeze().double().square())
    np.testing.assert_allclose(ratio, 1, atol=4 * np.sqrt((3 / p - 1) / n))


def test_p_of_zero_keeps_the_neighbour_and_p_of_one_blurs_every_coordinate():
    forget, retain = torch.randn(50, 6), torch.randn(20, 6)
    neighbours = farthest_points(forget, retain, 1)
    assert torch.equal(draw(forget, retain, neighbours, p=0.0), retain[neighbours.squeeze(1)])
    assert (draw(forget, retain, neighbours, p=1.0) != retain[neighbours.squeeze(1)]).all()


def test_every_round_draws_neighbours_anew_and_uniformly():
    n, k = 4000, 5
    neighbours = torch.arange(k).repeat(n, 1)
    retain = torch.arange(k).float()[:, None]
    samples = draw(torch.zeros(n, 1), retain, neighbours, p=0.0, size_multiplier=3)
    assert samples.shape == (3 * n, 1)
    counts = np.bincount(samples.flatten().long(), minlength=k)
    np.testing.assert_allclose(counts / (3 * n), 1 / k, atol=4 * np.sqrt(0.16 / (3 * n)))
    assert not torch.equal(samples[:n], samples[n : 2 * n])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p": 1.4}, r"`p` must be in \[0, 1\], but got 1.4."),
        ({"local_variance": 0.0}, r"`local_variance` must be larger than 0, but got 0.0."),
        ({"size_multiplier": 0}, r"`size_multiplier` must be at least 1, but got 0."),
        ({"eps": -1.0}, r"`eps` must be at least 0, but got -1.0."),
    ],
)
def test_bad_arguments_name_the_rule_and_the_value(changes, message):
    with pytest.raises(ConfigError, match=message):
        draw(torch.randn(2, 3), torch.randn(4, 3), torch.zeros(2, 1, dtype=torch.int64), **changes)


def test_all_bad_arguments_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        draw(torch.randn(2, 3), torch.randn(4, 3), torch.zeros(2, 1, dtype=torch.int64), p=-1.0, eps=-1.0)
    assert len(caught.value.problems) == 2


def test_combinations_are_convex_with_softmax_weights():
    n, count = 8, 30_000
    weights = convex_combinations(torch.eye(n), count, 1.0, generator())
    assert (weights > 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(count))
    reference = np.random.default_rng(1).normal(size=(count, n))
    reference = np.exp(reference) / np.exp(reference).sum(1, keepdims=True)
    np.testing.assert_allclose(weights.mean(0), 1 / n, atol=5 * reference.std() / np.sqrt(count))
    np.testing.assert_allclose(weights.std(), reference.std(), rtol=0.02)


def test_combinations_of_many_samples_average_their_noise_away_and_temperature_prevents_it():
    samples = torch.randn(5000, 16, generator=generator(1))
    published = convex_combinations(samples, 400, 1.0, generator(2))
    sparse = convex_combinations(samples, 400, 30.0, generator(2))
    assert published.std() == pytest.approx(0.023, abs=0.002)  # sqrt(e / 5000)
    assert sparse.std() > 0.5


@pytest.mark.parametrize(("count", "temperature"), [(0, 1.0), (3, 0.0)])
def test_combinations_refuse_impossible_arguments(count, temperature):
    with pytest.raises(ConfigError, match="must be"):
        convex_combinations(torch.randn(4, 2), count, temperature, generator())


def test_chunks_do_not_change_neighbours_or_ranges(monkeypatch):
    forget, retain = pixels(30, 5), pixels(120, 6)
    whole = farthest_neighbours(forget, retain, 7, SCALE)
    monkeypatch.setattr("antisample.generation.anti_samples._CHUNK_ELEMENTS", 500)
    assert torch.equal(farthest_neighbours(forget, retain, 7, SCALE), whole)
    samples = draw_anti_samples(
        forget,
        retain,
        whole,
        local_variance=1,
        size_multiplier=2,
        p=0.0,
        eps=0,
        normalise=as_float,
        generator=generator(),
    )
    allowed = as_float(retain).flatten(1)
    assert all((allowed == sample).all(1).any() for sample in samples)
    assert convex_combinations(samples, 11, 1.0, generator()).shape == (11, 192)
