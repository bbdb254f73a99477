"""Promotion: which trial is worth more replicates, or more epochs.

Trials stand on rungs, at 1, 4 and 10 replicates say, and nothing of them runs until they are promoted to the
next. Of those that came to a rung the best `1 / reduction_factor` go on, the highest rung first, and nobody
waits for others to arrive: the asynchronous rule of Li et al. (MLSys 2020). What `ParetoHalving` stops never
comes back; here a trial goes on later, once enough worse ones have arrived. Trials are ranked by the mean of
their objectives, which are shares of images or probabilities: on recorded searches, ranking by fronts lost the
best trial now and then (`benchmarks/bench_promotion.py`).
"""

import math
from collections.abc import Sequence
from statistics import fmean

from tuning.strategies.halving import rungs
from tuning.strategies.standing import Standing
from tuning.trials.pareto import Point


def promotion_rungs(least: int, most: int, reduction_factor: int) -> tuple[int, ...]:
    """The replicates or epochs after which trials are compared, and those of a whole trial.

    Args:
        least: Of the first rung.
        most: Of a whole trial.
        reduction_factor: Each rung is this many times as high as the one before it.
    """
    return (*rungs(least, most, reduction_factor), most)


class Promotion:
    """The rungs of a study, who stands on them, and who goes on.

    Args:
        rungs: Replicates or epochs, ascending; the last is that of a whole trial.
        reduction_factor: One of this many goes on, at least 2.
    """

    def __init__(self, rungs: Sequence[int], reduction_factor: int) -> None:
        self.rungs, self._factor = tuple(rungs), reduction_factor
        self._arrived: dict[int, dict[int, Standing]] = {rung: {} for rung in self.rungs[:-1]}
        self._promoted: dict[int, set[int]] = {rung: set() for rung in self.rungs[:-1]}
        self._ended: set[int] = set()
        self._rankings: dict[int, list[int]] = {}

    def arrive(self, number: int, replicates: int, standing: Standing) -> None:
        """Takes the figures of a trial that has come to a rung below the last."""
        self.go(number, replicates)
        self._arrived[replicates][number] = standing
        self._rankings.pop(replicates, None)

    def go(self, number: int, replicates: int) -> None:
        """A trial is on its way to a rung: those below it have let it go on."""
        for rung in self.rungs[: self.rungs.index(replicates)]:
            self._promoted[rung].add(number)

    def end(self, number: int) -> None:
        """A trial has ended: others are still compared with it, and it does not go on."""
        self._ended.add(number)

    def next(self, *, drained: bool = False) -> tuple[int, int] | None:
        """Promotes a trial: its number and the replicates that it is to come to; None if none is to go on.

        Args:
            drained: Whether nobody else will arrive, so that a fraction of a place counts as one.
        """
        for rung, after in reversed(list(zip(self.rungs[:-1], self.rungs[1:], strict=True))):
            number = self._best_waiting(rung, drained=drained)
            if number is not None:
                self.go(number, after)
                return number, after
        return None

    def settled(self, n_trials: int) -> list[int]:
        """Trials that stand on a rung and will not go on, whatever others of the study come to.

        Args:
            n_trials: How many trials the study is to have.
        """
        settled: list[int] = []
        most = n_trials  # that will ever have arrived
        for rung, arrived in self._arrived.items():
            most = max(most, len(arrived))
            places, ranking = math.ceil(most / self._factor), self._ranking(rung)
            waiting = {number for number in arrived if self._waits(rung, number)}
            for place, number in enumerate(ranking):
                standing = arrived[number]
                if number in waiting and not standing.exempt and (place >= places or standing.hopeless):
                    settled.append(number)
                    waiting.discard(number)
            most = len(self._promoted[rung]) + min(places, len(waiting) + most - len(arrived))
        return settled

    def _best_waiting(self, rung: int, *, drained: bool) -> int | None:
        arrived, ranking = self._arrived[rung], self._ranking(rung)
        places = math.ceil(len(arrived) / self._factor) if drained else len(arrived) // self._factor
        for place, number in enumerate(ranking):
            standing = arrived[number]
            goes_on = standing.exempt or (place < places and not standing.hopeless)
            if goes_on and self._waits(rung, number):
                return number
        return None

    def _waits(self, rung: int, number: int) -> bool:
        return number not in self._promoted[rung] and number not in self._ended

    def _ranking(self, rung: int) -> list[int]:
        """Trials from best to worst: those that keep the constraints by their means, then the others by violation."""
        if rung not in self._rankings:
            arrived = self._arrived[rung]
            self._rankings[rung] = sorted(arrived, key=lambda number: (_rank(arrived[number]), number))
        return self._rankings[rung]


def _rank(standing: Standing) -> tuple[float, float, Point]:
    return max(0.0, standing.violation), fmean(standing.point), standing.point
