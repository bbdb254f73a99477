"""The simulated search: its clock, its workers, and when a rule is asked."""

import pytest
from simulator import Curves, served_by_one_driver, simulate, simulate_tasks

from tuning.strategies.promotion import Promotion


@pytest.fixture
def curves():
    """Three configurations of three replicates: the second is the best, the third the worst."""
    points = [[(0.2, 0.2)] * 3, [(0.1, 0.0), (0.0, 0.1), (0.05, 0.05)], [(0.9, 0.9)] * 3]
    return Curves([{}, {}, {}], points, [[1.0, 2.0, 3.0], [1.0, 1.0, 1.0], [10.0, 10.0, 10.0]])


def never(number, replicates, point):
    return True


def test_one_worker_takes_the_sum_and_many_the_longest(curves):
    alone = simulate(curves, [0, 1, 2], never, 1)
    assert [second for second, _ in alone.ends] == [6.0, 9.0, 39.0]
    assert (alone.elapsed_s, alone.replicates) == (39.0, 9)
    crowd = simulate(curves, [0, 1, 2], never, 256)
    assert [second for second, _ in crowd.ends] == [3.0, 6.0, 30.0]
    two = simulate(curves, [2, 1, 0], never, 2)
    assert [second for second, _ in two.ends] == [3.0, 9.0, 30.0]


def test_a_rule_is_asked_after_every_replicate_but_the_last_and_frees_the_worker(curves):
    asked = []

    def rule(number, replicates, point):
        asked.append((number, replicates))
        return number != 2

    search = simulate(curves, [2, 0, 1], rule, 1)
    assert asked == [(2, 1), (0, 1), (0, 2), (1, 1), (1, 2)]
    assert [second for second, _ in search.ends] == [16.0, 19.0]
    assert search.replicates == 7


def test_points_are_means_over_the_replicates_so_far(curves):
    seen = {}

    def rule(number, replicates, point):
        seen[replicates] = point
        return True

    simulate(curves, [1], rule, 1)
    assert seen == {1: (0.1, 0.0), 2: pytest.approx((0.05, 0.05))}
    assert simulate(curves, [1], never, 1).ends[0][1] == pytest.approx((0.05, 0.05))


def test_the_hypervolume_grows_as_trials_end(curves):
    search = simulate(curves, [0, 1], never, 1)
    assert search.hypervolume((1.0, 1.0), by_s=5.0) == 0
    assert search.hypervolume((1.0, 1.0), by_s=6.0) == pytest.approx(0.64)
    assert search.hypervolume((1.0, 1.0)) == pytest.approx(0.95**2)
    assert search.seconds_to(0.6, (1.0, 1.0)) == 6.0
    assert search.seconds_to(0.9, (1.0, 1.0)) == 9.0
    assert search.seconds_to(0.99, (1.0, 1.0)) == float("inf")


def test_nothing_starts_after_the_time_is_over(curves):
    assert len(simulate(curves, [0, 1, 2], never, 1, until_s=5.0).ends) == 1


def test_replicates_as_tasks_run_side_by_side_and_only_the_best_is_promoted(curves):
    crowd = simulate_tasks(curves, [0, 1, 2], Promotion((3,), 2), 256)
    assert [second for second, _ in crowd.ends] == [1.0, 3.0, 10.0]
    search = simulate_tasks(curves, [2, 0, 1], Promotion((1, 3), 2), 1)
    assert (search.whole, search.replicates) == ((0, 1), 7)
    assert [second for second, _ in search.ends] == [16.0, 19.0]
    apart = simulate_tasks(curves, [0, 1, 2], Promotion((1, 3), 4), 3)
    assert (apart.whole, apart.replicates, apart.elapsed_s) == ((1,), 5, 11.0), "its two others side by side"


def test_one_driver_is_the_limit_of_short_trials_and_none_of_long_ones():
    assert served_by_one_driver([10.0] * 40, 4, lambda _: 0.0) == 100
    assert served_by_one_driver([1.0] * 40, 40, lambda _: 0.5) == 40 * 0.5 + 1
    assert served_by_one_driver([100.0] * 40, 4, lambda _: 0.5) == pytest.approx(10 * 100.5 + 3 * 0.5)
    assert served_by_one_driver([0.0] * 3, 1, lambda n: n) == 3
