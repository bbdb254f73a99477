"""Successive halving for several objectives: who goes on, and who never may be stopped."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.strategies.halving import ParetoHalving, rungs
from tuning.trials.pareto import epsilon_net_order, non_dominated, sorted_fronts

coordinate = st.integers(0, 6).map(lambda value: value / 6)
clouds = st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=12)


def test_rungs_end_below_the_whole():
    assert rungs(1, 10, 3) == (1, 3, 9)
    assert rungs(2, 5, 2) == (2, 4)
    assert rungs(1, 3, 3) == (1,)
    assert rungs(5, 5, 3) == ()


@given(clouds)
def test_fronts_hold_every_point_once_and_peel_off_one_after_another(cloud):
    fronts = sorted_fronts(cloud)
    assert sorted(position for front in fronts for position in front) == list(range(len(cloud)))
    left = list(range(len(cloud)))
    for front in fronts:
        assert front == [left[i] for i in non_dominated([cloud[position] for position in left])]
        left = [position for position in left if position not in front]


@given(clouds)
def test_the_epsilon_net_takes_next_what_is_farthest_from_those_taken(cloud):
    order = epsilon_net_order(cloud)
    assert sorted(order) == list(range(len(cloud)))
    assert cloud[order[0]] == min(cloud)
    spans = [max(column) - min(column) or 1 for column in zip(*cloud, strict=True)]
    scaled = [tuple(x / span for x, span in zip(point, spans, strict=True)) for point in cloud]
    for n in range(1, len(order)):
        nearest = {i: min(math.dist(scaled[i], scaled[j]) for j in order[:n]) for i in order[n:]}
        assert nearest[order[n]] == pytest.approx(max(nearest.values()))


def test_the_epsilon_net_takes_the_ends_first():
    assert epsilon_net_order([(0.5, 0.5), (0.0, 1.0), (0.45, 0.55), (1.0, 0.0)]) == [1, 3, 0, 2]
    assert epsilon_net_order([]) == []


def test_a_third_goes_on_and_whoever_is_between_rungs():
    halving = ParetoHalving((1, 3), 3)
    line = [(n / 10, n / 10) for n in range(9, -1, -1)]  # each better than all before
    assert all(halving.goes_on(n, 1, point) for n, point in enumerate(line))
    assert not halving.goes_on(10, 1, (0.95, 0.95))
    assert halving.goes_on(11, 1, (0.15, 0.15))
    assert not halving.goes_on(12, 1, (0.55, 0.55))
    assert halving.goes_on(13, 2, (9.0, 9.0))
    assert halving.goes_on(14, 3, (9.0, 9.0)), "the first at a rung has nobody to lose against"


def test_the_best_in_one_objective_is_never_stopped():
    halving = ParetoHalving((1,), 4)
    for n in range(8):
        halving.goes_on(n, 1, (n / 8, 1 - n / 8))
    assert halving.goes_on(20, 1, (-0.1, 5.0))
    assert halving.goes_on(21, 1, (5.0, -0.1))
    assert not halving.goes_on(22, 1, (5.0, 0.9))


def test_trials_that_keep_the_constraints_come_first():
    halving = ParetoHalving((1,), 2)
    assert halving.goes_on(0, 1, (0.0, 0.0), violation=0.2)
    assert halving.goes_on(1, 1, (0.9, 0.9))
    assert halving.goes_on(2, 1, (0.8, 0.8))
    assert not halving.goes_on(3, 1, (0.0, 0.0), violation=0.1)
    assert not halving.goes_on(4, 1, (0.0, 0.0), violation=0.3)


@given(clouds)
def test_whoever_is_on_no_front_of_the_kept_share_is_stopped(cloud):
    halving = ParetoHalving((1,), 3)
    for n, point in enumerate(cloud):
        goes_on = halving.goes_on(n, 1, point)
        dominators = sum(all(a <= b for a, b in zip(p, point, strict=True)) and p != point for p in cloud[:n])
        if dominators >= math.ceil((n + 1) / 3):
            assert not goes_on
        if n == 0 or (dominators == 0 and min(p[0] for p in cloud[: n + 1]) == point[0] and point not in cloud[:n]):
            assert goes_on


def test_reporting_a_rung_again_replaces_what_was_there():
    halving = ParetoHalving((1,), 2)
    halving.goes_on(0, 1, (0.5, 0.5))
    halving.goes_on(1, 1, (0.4, 0.4))
    assert not halving.goes_on(0, 1, (0.6, 0.6))
    assert halving.goes_on(0, 1, (0.3, 0.3))
