"""Asynchronous successive halving for several objectives: which trials are worth more of their fidelity.

A trial passes rungs on its way to full fidelity. At a rung it is compared with all that came there before it,
whatever became of them, and goes on if it is among the best `1 / reduction_factor` of them. "Best" is decided by
non-dominated sorting, and within the front that does not fit whole by epsilon-net order, which keeps the ends and the
spread of a front (Schmucker et al., "Multi-objective Asynchronous Successive Halving", 2021; the asynchronous rule is
that of Li et al., MLSys 2020).
"""

import math
from dataclasses import dataclass, field

from tuning.trials.pareto import Point, epsilon_net_order, sorted_fronts


def rungs(least: int, most: int, reduction_factor: int) -> tuple[int, ...]:
    """The fidelities at which trials are compared: `least`, and again and again the factor, below `most`."""
    fidelities = []
    while least < most:
        fidelities.append(least)
        least *= reduction_factor
    return tuple(fidelities)


@dataclass
class ParetoHalving:
    """The rungs of one study, and who has reached them.

    Attributes:
        rungs: Fidelities at which trials are compared, ascending.
        reduction_factor: One of this many goes on, at least 2.
    """

    rungs: tuple[int, ...]
    reduction_factor: int
    _arrived: dict[int, dict[int, tuple[float, Point]]] = field(default_factory=dict)

    def goes_on(
        self, number: int, fidelity: int, point: Point, violation: float = 0.0, *, hopeless: bool = False
    ) -> bool:
        """Takes a trial's figures at a fidelity and decides whether it goes on.

        Args:
            number: The trial; reporting a rung again replaces what was there.
            fidelity: What it has reached.
            point: Its objectives so far, minimised.
            violation: By how much it breaks constraints; 0 if it keeps them all.
            hopeless: Whether it cannot come to keep them.

        Returns:
            Whether it goes on; always between rungs, and for the trial that is best in some objective. Never if it is
            hopeless.
        """
        if fidelity not in self.rungs:
            return True
        arrived = self._arrived.setdefault(fidelity, {})
        arrived[number] = (violation, point)
        if hopeless:
            return False
        places = max(1, math.ceil(len(arrived) / self.reduction_factor))
        return number in self._ranking(arrived)[:places] or number in _extremes(arrived)

    def _ranking(self, arrived: dict[int, tuple[float, Point]]) -> list[int]:
        """Trials from best to worst: those that keep the constraints by fronts, then the others by violation."""
        kept = [number for number, (violation, _) in arrived.items() if violation <= 0]
        ranking: list[int] = []
        for front in sorted_fronts([arrived[number][1] for number in kept]):
            members = [kept[position] for position in front]
            ranking += [members[i] for i in epsilon_net_order([arrived[number][1] for number in members])]
        broken = [number for number in arrived if arrived[number][0] > 0]
        return ranking + sorted(broken, key=lambda number: arrived[number])


def _extremes(arrived: dict[int, tuple[float, Point]]) -> set[int]:
    """The best trial in each objective among those that keep the constraints; ties go to the better in the others."""
    kept = {number: point for number, (violation, point) in arrived.items() if violation <= 0}
    n_objectives = len(next(iter(arrived.values()))[1])
    return {
        min(kept, key=lambda number: (kept[number][k], kept[number], number)) for k in range(n_objectives) if kept
    }
