"""Promotion from rung to rung, and replicates as tasks."""

import random

import pytest

from tuning.config.fidelity import FidelityConfig
from tuning.strategies.promotion import Promotion, promotion_rungs
from tuning.strategies.replicate_tasks import ReplicateTask, ReplicateTasks
from tuning.strategies.standing import Standing


@pytest.mark.parametrize(
    ("least", "most", "factor", "rungs"),
    [(1, 10, 4, (1, 4, 10)), (1, 16, 4, (1, 4, 16)), (1, 3, 4, (1, 3)), (3, 12, 2, (3, 6, 12))],
)
def test_the_last_rung_is_a_whole_trial(least, most, factor, rungs):
    assert promotion_rungs(least, most, factor) == rungs


@pytest.mark.parametrize(("least", "requests", "first"), [(1, 1, 1), (1, 3, 3), (3, 3, 3), (4, 3, 6)])
def test_the_first_rung_is_whole_rounds_of_the_requests(least, requests, first):
    assert FidelityConfig(rule="promotion", min=least).first_rung(requests) == first


def arrived(values, rung=1, rungs=(1, 4, 10), factor=4):
    promotion = Promotion(rungs, factor)
    for number, value in enumerate(values):
        promotion.arrive(number, rung, Standing((value, value)))
    return promotion


def test_nobody_goes_on_before_there_are_enough_to_compare():
    promotion = arrived([0.1, 0.2, 0.3])
    assert promotion.next() is None
    promotion.arrive(3, 1, Standing((0.4, 0.0)))
    assert promotion.next() == (0, 4)
    assert promotion.next() is None, "nobody goes on twice"


def test_who_was_too_bad_for_the_few_before_goes_on_once_enough_worse_ones_have_come():
    promotion = arrived([0.1, 0.2, 0.3, 0.4])
    assert promotion.next() == (0, 4)
    for number in range(4, 8):
        assert promotion.next() is None
        promotion.arrive(number, 1, Standing((0.9, 0.9)))
    assert promotion.next() == (1, 4)


def test_the_highest_rung_goes_first():
    promotion = arrived([0.1 * number for number in range(8)])
    for number in range(10, 14):
        promotion.arrive(number, 4, Standing((number, number)))
    assert [promotion.next(), promotion.next(), promotion.next()] == [(10, 10), (0, 4), (1, 4)]


def test_ranking_is_by_the_mean_of_the_objectives_and_after_that_by_violation():
    promotion = Promotion((1, 2), 2)
    for number, standing in enumerate(
        (Standing((0.0, 0.0), 0.2), Standing((0.0, 0.9)), Standing((0.4, 0.4)), Standing((0.0, 0.0), 0.1))
    ):
        promotion.arrive(number, 1, standing)
    order = [promotion.next(), promotion.next()]
    assert order == [(2, 2), (1, 2)]
    for number in range(4, 8):
        promotion.arrive(number, 1, Standing((1.0, 1.0), 9.0))
    assert [promotion.next(), promotion.next()] == [(3, 2), (0, 2)]


def test_the_hopeless_and_the_ended_stay_and_the_exempt_go_on():
    promotion = Promotion((1, 2), 2)
    promotion.arrive(0, 1, Standing((0.9, 0.9), exempt=True))
    assert promotion.next() == (0, 2)
    promotion.arrive(1, 1, Standing((0.0, 0.0), hopeless=True))
    promotion.arrive(2, 1, Standing((0.1, 0.1)))
    promotion.end(2)
    promotion.arrive(3, 1, Standing((0.5, 0.5)))
    assert promotion.next(drained=True) is None
    assert promotion.settled(8) == [1]


def test_at_the_end_a_fraction_of_a_place_counts():
    promotion = arrived([0.3, 0.2, 0.1])
    assert promotion.next() is None
    assert promotion.next(drained=True) == (2, 4)
    assert promotion.next(drained=True) is None


def test_a_trial_is_settled_once_none_of_those_to_come_can_help_it():
    promotion = arrived([0.1, 0.2, 0.3, 0.4])
    assert promotion.settled(8) == [2, 3], "two of eight go on, and two are better"
    assert promotion.settled(12) == [3]
    assert promotion.settled(100) == []


@pytest.mark.parametrize("seed", range(20))
def test_what_is_settled_would_never_have_gone_on(seed):
    """Two searches with the same luck, of which one ends what is settled: the same trials go on in both."""

    def promoted(*, settle):
        luck, n_trials = random.Random(seed), 60
        tasks, begun, going, whole, came = ReplicateTasks(Promotion((1, 3, 9), 3)), 0, [], [], {}
        quality = [luck.random() for _ in range(n_trials)]
        while True:
            while len(going) < 5:
                task = tasks.next(drained=not going and begun == n_trials)
                if task is None and begun < n_trials:
                    tasks.open(begun, tasks.first_rung)
                    begun += 1
                elif task is None:
                    break
                else:
                    going.append(task)
            if not going:
                return whole, came
            task = going.pop(0)
            if not tasks.done(task):
                continue
            came[task.number] = task.rung
            if task.rung == tasks.last_rung:
                whole.append(task.number)
                tasks.end(task.number)
            else:
                noise = random.Random(f"{task.number} {task.rung}").gauss(0, 0.3 / task.rung)
                tasks.stand(task.number, Standing((quality[task.number] + noise,)))
            for number in tasks.settled(n_trials) if settle else []:
                tasks.end(number)

    assert promoted(settle=True) == promoted(settle=False)


def test_replicates_of_a_rung_are_tasks_and_the_last_of_them_brings_the_trial_there():
    tasks = ReplicateTasks(Promotion((1, 3), 2))
    assert tasks.next() is None
    assert tasks.open(0, tasks.first_rung)
    first = tasks.next()
    assert first == ReplicateTask(0, 0, 1)
    assert tasks.done(first)
    tasks.stand(0, Standing((0.1,)))
    assert tasks.next() is None
    tasks.open(1, 1)
    assert tasks.done(tasks.next())
    tasks.stand(1, Standing((0.2,)))
    second, third = tasks.next(), tasks.next()
    assert (second, third) == (ReplicateTask(0, 1, 3), ReplicateTask(0, 2, 3))
    assert not tasks.done(third)
    assert not tasks.done(third), "the same once more says nothing"
    assert tasks.done(second)


def test_a_lost_replicate_is_what_the_next_worker_does_unless_its_trial_has_ended():
    tasks = ReplicateTasks(Promotion((2, 4), 2))
    tasks.open(0, 2)
    tasks.open(1, 2)
    lost = tasks.next()
    tasks.again(lost)
    assert tasks.next() == lost
    tasks.end(0)
    tasks.again(lost)
    assert not tasks.done(lost)
    assert tasks.next() == ReplicateTask(1, 0, 2), "nothing of an ended trial is left to be done"


def test_a_trial_goes_on_with_what_is_missing():
    tasks = ReplicateTasks(Promotion((1, 4), 2))
    assert tasks.open(7, 4, {0, 2})
    assert [tasks.next(), tasks.next()] == [ReplicateTask(7, 1, 4), ReplicateTask(7, 3, 4)]
    assert not tasks.open(8, 1, {0})
