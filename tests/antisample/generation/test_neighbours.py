"""The farthest neighbours against float64 renditions of their definition."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from antisample.data.loader import Normaliser
from antisample.errors import ConfigError
from antisample.generation import neighbours as module
from antisample.generation.neighbours import farthest_neighbours, farthest_points
from antisample.types import Preprocessing

NORMALISE = Normaliser(Preprocessing((0.5, 0.4, 0.3), (0.2, 0.25, 0.3)), torch.device("cpu"))


def pixels(n, seed, shape=(3, 8, 8)):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8))


def farthest_in_float64(forget, retain, k):
    distances = cdist(forget.flatten(1).double().numpy(), retain.flatten(1).double().numpy())
    return np.argsort(-distances, axis=1, kind="stable")[:, :k]


@pytest.fixture(params=["int8", "float32"])
def product(request, monkeypatch):
    """Both ways to multiply; int8 only where this processor has the unit."""
    if request.param == "float32":
        monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    elif not torch.cpu._is_vnni_supported():
        pytest.skip("this processor does not multiply matrices of 8 bits")


@pytest.mark.parametrize("k", [1, 20, 150, 300])
@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 40, 40), (3, 5, 7)])
def test_neighbours_equal_a_float64_rendition(k, shape, product):
    forget, retain = pixels(40, 1, shape), pixels(300, 2, shape)
    found = farthest_neighbours(forget, retain, k, NORMALISE.scale)
    assert np.array_equal(found.numpy(), farthest_in_float64(NORMALISE(forget), NORMALISE(retain), k))


def test_chunks_change_nothing(monkeypatch, product):
    forget, retain = pixels(23, 1), pixels(211, 2)
    whole = farthest_neighbours(forget, retain, 7, NORMALISE.scale)
    monkeypatch.setitem(module._CHUNKS, "cpu", (70, 13))
    monkeypatch.setattr(module, "_PAIR_ELEMENTS", 70)
    monkeypatch.setattr(module, "_SPARE_CANDIDATES", 2)
    assert torch.equal(farthest_neighbours(forget, retain, 7, NORMALISE.scale), whole)


def test_images_that_differ_by_one_step_of_one_pixel_are_told_apart(product):
    """Float32 alone cannot: a step at 128^2 * 3,072 is lost in its rounding. The first of equals comes first."""
    base = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    retain = base.repeat(200, 1, 1, 1)
    order = np.random.default_rng(0).permutation(200)
    flat = retain.view(200, -1)
    for rank, position in enumerate(order[:100]):
        flat[position, : 100 - rank] = 254  # the farther, the earlier in the order
    found = farthest_neighbours(base, retain, 120, torch.ones(3))
    rest = sorted(order[100:])[:20]
    assert found[0].tolist() == [*order[:100], *rest]


def test_extreme_pixels_stay_exact(product):
    forget = torch.stack([torch.zeros(1, 64, 64), torch.full((1, 64, 64), 255.0)]).to(torch.uint8)
    retain = torch.cat([forget, pixels(50, 3, (1, 64, 64))])
    found = farthest_neighbours(forget, retain, 1, torch.ones(1))
    assert found.flatten().tolist() == [1, 0]


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 8), m=st.integers(1, 60), size=st.integers(1, 6), seed=st.integers(0, 1000), data=st.data())
def test_neighbours_are_at_the_largest_distances(n, m, size, seed, data):
    k = data.draw(st.integers(1, m))
    forget, retain = pixels(n, seed, (2, size, size)), pixels(m, seed + 1, (2, size, size))
    scale = torch.tensor([0.7, 1.9])
    found = farthest_neighbours(forget, retain, k, scale).numpy()
    scaled = [(images * scale.view(1, 2, 1, 1)).flatten(1).double().numpy() for images in (forget, retain)]
    distances = cdist(*scaled)
    expected = -np.sort(-distances, axis=1)[:, :k]
    np.testing.assert_allclose(np.take_along_axis(distances, found, axis=1), expected, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 8), m=st.integers(1, 60), d=st.integers(1, 12), seed=st.integers(0, 1000), data=st.data())
def test_points_are_at_the_largest_distances(n, m, d, seed, data):
    k = data.draw(st.integers(1, m))
    rng = np.random.default_rng(seed)
    forget, retain = (torch.from_numpy(rng.normal(size=(count, d))).float() for count in (n, m))
    found = farthest_points(forget, retain, k).numpy()
    distances = cdist(forget.double().numpy(), retain.double().numpy())
    expected = -np.sort(-distances, axis=1)[:, :k]
    np.testing.assert_allclose(np.take_along_axis(distances, found, axis=1), expected, rtol=1e-12)


def test_points_far_from_the_origin_are_told_apart():
    base = torch.full((1, 16), 1e4)
    rng = np.random.default_rng(3)
    retain = base + torch.from_numpy(rng.normal(size=(200, 16))).float()
    forget = base + torch.from_numpy(rng.normal(size=(10, 16))).float()
    assert np.array_equal(farthest_points(forget, retain, 5).numpy(), farthest_in_float64(forget, retain, 5))


@pytest.mark.parametrize("k", [0, 11])
def test_an_impossible_k_is_refused(k):
    with pytest.raises(ConfigError, match=rf"`tail_randomized` must be in \[1, 10\] .*but got {k}"):
        farthest_neighbours(pixels(3, 0), pixels(10, 1), k, NORMALISE.scale)
    with pytest.raises(ConfigError, match="but got 0 and 10"):
        farthest_points(torch.zeros(0, 2), torch.zeros(10, 2), 1)


@pytest.mark.parametrize("columns", [50, 896, 1000, 4099])  # the first is too small for groups
def test_the_largest_are_found_by_groups(columns):
    values = torch.randint(0, 500, (9, columns), generator=torch.Generator().manual_seed(0)).float()  # with ties
    largest, where = module._largest(values, 12)
    assert torch.equal(largest, values.topk(12, dim=1).values)
    assert torch.equal(values.gather(1, where), largest)
    assert all(len(set(row)) == 12 for row in where.tolist())


@pytest.mark.gpu
@pytest.mark.parametrize("size", [8, 32, 40])  # a block, three blocks, a rest
def test_a_gpu_finds_the_same_neighbours(size):
    generator = torch.Generator().manual_seed(size)
    forget, retain = (
        torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=generator) for n in (70, 9000)
    )
    retain[5000:5100] = retain[:100]  # at the same distance
    scale = torch.tensor([0.016, 0.0161, 0.0157])
    expected = farthest_neighbours(forget, retain, 20, scale)
    found = farthest_neighbours(forget.cuda(), retain.cuda(), 20, scale.cuda())
    assert torch.equal(found.cpu(), expected)
