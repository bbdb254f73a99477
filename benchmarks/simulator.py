"""A search on a virtual clock: recorded unlearnings are replayed, so that hours of it take seconds.

Workers take configurations in turn and go from replicate to replicate; after each, a rule decides whether the trial
goes on. A trial's duration is what its replicates took when they were recorded.
"""

import heapq
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq

from tuning.strategies.promotion import Promotion
from tuning.strategies.replicate_tasks import ReplicateTask, ReplicateTasks
from tuning.strategies.standing import Standing
from tuning.trials.pareto import Point, hypervolume, non_dominated

Rule = Callable[[int, int, Point], bool]
"""Takes number, replicates done and their mean point; tells whether the trial goes on."""


@dataclass(frozen=True)
class Curves:
    """Recorded unlearnings: see `record_curves.py`.

    Attributes:
        parameters: Of every configuration.
        points: By configuration, forget accuracy and retain error of each replicate, minimised.
        seconds: By configuration, what each replicate took.
    """

    parameters: list[dict[str, Any]]
    points: list[list[Point]]
    seconds: list[list[float]]

    @classmethod
    def read(cls, path: Path) -> "Curves":
        """Reads the file that `record_curves.py` writes; configurations that lack a replicate are left out."""
        table = pq.read_table(path)
        parameters = json.loads(table.schema.metadata[b"parameters"])
        points: list[list[Point]] = [[] for _ in parameters]
        seconds: list[list[float]] = [[] for _ in parameters]
        for row in table.to_pylist():
            if row["last"]:
                retain_error = 1 - row["validation/retain_accuracy"]
                points[row["configuration"]].append((row["validation/forget_accuracy"], retain_error))
                seconds[row["configuration"]].append(row["elapsed_s"])
        most = max(map(len, points))
        whole = [number for number, found in enumerate(points) if len(found) == most]
        return cls([parameters[n] for n in whole], [points[n] for n in whole], [seconds[n] for n in whole])

    def mean(self, number: int, replicates: int) -> Point:
        """Mean point of a configuration over its first replicates."""
        return tuple(map(fmean, zip(*self.points[number][:replicates], strict=True)))

    @cached_property
    def replicates(self) -> int:
        """Replicates of every configuration."""
        return len(self.points[0])


@dataclass(frozen=True)
class Search:
    """What came of a simulated search.

    Attributes:
        ends: Of trials that ran to their end: virtual seconds and mean point, in order.
        elapsed_s: Virtual seconds of the whole search.
        replicates: Run in all.
        whole: Configurations that ran to their end, in the same order as `ends`.
    """

    ends: list[tuple[float, Point]]
    elapsed_s: float
    replicates: int
    whole: tuple[int, ...] = ()

    def hypervolume(self, reference: Point, by_s: float = float("inf")) -> float:
        """Covered by what had ended at a time."""
        points = [point for second, point in self.ends if second <= by_s]
        return hypervolume([points[i] for i in non_dominated(points)], reference)

    def seconds_to(self, volume: float, reference: Point) -> float:
        """Virtual seconds until a hypervolume was reached; infinite if it never was."""
        reached: list[Point] = []
        for second, point in self.ends:
            reached.append(point)
            reached = [reached[i] for i in non_dominated(reached)]
            if hypervolume(reached, reference) >= volume:
                return second
        return float("inf")


def simulate(
    curves: Curves, order: Sequence[int], rule: Rule, workers: int, *, until_s: float | None = None
) -> Search:
    """Runs configurations in order, each as far as the rule lets it.

    Args:
        curves: What is replayed.
        order: Configurations.
        rule: Decides after each replicate but the last.
        workers: Trials at once, 1 to 256.
        until_s: Nothing starts after this many virtual seconds.
    """
    waiting = list(reversed(order))
    clock: list[tuple[float, int, int, int]] = []  # when the next replicate ends, tie-breaker, trial, replicate
    ends, whole, done, now, n_started = [], [], 0, 0.0, 0
    while waiting or clock:
        while waiting and len(clock) < workers and (until_s is None or now < until_s):
            number = waiting.pop()
            heapq.heappush(clock, (now + curves.seconds[number][0], n_started, number, 1))
            n_started += 1
        if not clock:
            break
        now, place, number, replicate = heapq.heappop(clock)
        done += 1
        point = curves.mean(number, replicate)
        if replicate == curves.replicates:
            ends.append((now, point))
            whole.append(number)
        elif rule(number, replicate, point):
            heapq.heappush(clock, (now + curves.seconds[number][replicate], place, number, replicate + 1))
    return Search(ends, now, done, tuple(whole))


def simulate_tasks(curves: Curves, order: Sequence[int], promotion: Promotion, workers: int) -> Search:
    """Runs every replicate as a task of its own; trials are promoted as in a study with `rule: promotion`.

    Args:
        curves: What is replayed.
        order: Configurations.
        promotion: Of as many replicates as were recorded, or fewer.
        workers: Tasks at once.
    """
    tasks, fresh = ReplicateTasks(promotion), list(reversed(order))
    clock: list[tuple[float, int, ReplicateTask]] = []  # when a task ends, tie-breaker
    ends, whole, done, now = [], [], 0, 0.0
    while True:
        while len(clock) < workers:
            task = tasks.next(drained=not clock and not fresh)
            if task is None and fresh:
                tasks.open(fresh.pop(), tasks.first_rung)
                continue
            if task is None:
                break
            heapq.heappush(clock, (now + curves.seconds[task.number][task.replicate], done + len(clock), task))
        if not clock:
            return Search(ends, now, done, tuple(whole))
        now, _, task = heapq.heappop(clock)
        done += 1
        if not tasks.done(task):
            continue
        point = curves.mean(task.number, task.rung)
        if task.rung < tasks.last_rung:
            tasks.stand(task.number, Standing(point))
        else:
            ends.append((now, point))
            whole.append(task.number)
            tasks.end(task.number)
        for number in tasks.settled(len(order)):
            tasks.end(number)


def served_by_one_driver(durations: Sequence[float], workers: int, cost_s: Callable[[int], float]) -> float:
    """Virtual seconds until all trials have ended, where one driver hands them out one after another.

    Args:
        durations: Of the trials, in order.
        workers: Trials at once.
        cost_s: What the driver takes for a trial, by how many have been handed out.
    """
    free, driver, ended = [0.0] * workers, 0.0, 0.0
    for number, duration in enumerate(durations):
        driver = max(driver, heapq.heappop(free)) + cost_s(number)
        ended = max(ended, driver + duration)
        heapq.heappush(free, driver + duration)
    return ended
