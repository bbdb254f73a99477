import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna._hypervolume import compute_hypervolume

from tuning.trials.pareto import dominates, hypervolume, non_dominated

coordinate = st.integers(0, 6).map(lambda value: value / 6)


def points(dimensions):
    return st.lists(st.tuples(*[coordinate] * dimensions), min_size=0, max_size=8)


@given(points(1) | points(2) | points(3))
def test_the_front_is_what_nothing_dominates(cloud):
    front = set(non_dominated(cloud))
    for i, point in enumerate(cloud):
        assert (i in front) == (not any(dominates(other, point) for other in cloud))


def test_equal_points_are_kept_and_one_better_coordinate_is_enough():
    assert non_dominated([(0.0, 1.0), (0.0, 1.0), (0.0, 2.0)]) == [0, 1]
    assert dominates((0.0, 1.0), (0.0, 2.0))
    assert not dominates((0.0, 1.0), (0.0, 1.0))


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
def test_hypervolume_equals_a_count_of_cells(dimensions):
    @given(points(dimensions))
    def check(cloud):
        # On a grid of sixths, the volume is the number of cells whose lower corner is dominated.
        cells = itertools.product(range(6), repeat=dimensions)
        covered = sum(
            any(all(round(6 * x) <= c for x, c in zip(point, cell, strict=True)) for point in cloud) for cell in cells
        )
        assert hypervolume(cloud, (1.0,) * dimensions) == pytest.approx(covered / 6**dimensions)

    check()


def test_hypervolume_equals_optunas():
    rng = np.random.default_rng(0)
    for dimensions in (2, 3):
        cloud = rng.random((40, dimensions))
        ours = hypervolume([tuple(map(float, point)) for point in cloud], (1.1,) * dimensions)
        assert ours == pytest.approx(compute_hypervolume(cloud, np.full(dimensions, 1.1)))


def test_points_beyond_the_reference_add_nothing():
    assert hypervolume([(0.5, 2.0), (2.0, 0.5)], (1.0, 1.0)) == 0
    assert hypervolume([], (1.0, 1.0)) == 0
    assert hypervolume([(0.5, 0.5)], (1.0, 1.0)) == 0.25
