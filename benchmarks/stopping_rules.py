"""Rules of stopping that benchmarks on recorded unlearnings compare, and what they are compared at."""

from simulator import Rule

from tuning.strategies.halving import ParetoHalving, rungs
from tuning.trials.pareto import Point

WORKERS = (1, 4, 16, 64, 256)
FACTOR = 4


def no_stopping(replicates: int) -> Rule:
    """Every trial runs to its end."""
    del replicates
    return lambda number, replicate, point: True  # noqa: ARG005


def ours(replicates: int) -> Rule:
    """Successive halving by fronts, as a study with `fidelity: {attribute: replicates}` does it."""
    return ParetoHalving(rungs(1, replicates, FACTOR), FACTOR).goes_on


def reference_point() -> Point:
    """Forget 0.10 and the best retain error recorded plus 0.10, near the original's minus 0.10."""
    return (0.10, 0.004 + 0.10)
