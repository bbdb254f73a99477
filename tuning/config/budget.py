"""What a request may cost: a budget in retrainings or in minutes, as a study file and the command line write it."""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import PlainSerializer, PlainValidator

from antisample.validation.settings import shown

_MOST = 10_000_000
_TEXT = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(min)?", re.ASCII)
_SHARE, _LARGEST_SHARE = 0.4, 0.6
_FEWEST_RUNS = 5
_FORM = "must be a number of retrainings such as 1.5, or minutes such as `30 min`"


@dataclass(frozen=True)
class Budget:
    """What everything that a request takes may cost.

    Attributes:
        amount: How many, above 0.
        unit: `retrainings`, whose worker seconds count, or `minutes` of the clock.
    """

    amount: float
    unit: Literal["retrainings", "minutes"]

    @classmethod
    def parse(cls, value: Any) -> "Budget":
        """Reads a number of retrainings, or text such as `30 min`.

        Raises:
            ValueError: If it is neither, or not in (0, 10,000,000].
        """
        if isinstance(value, cls):
            return value
        match = _TEXT.fullmatch(value.strip()) if isinstance(value, str) else None
        if isinstance(value, bool) or not (isinstance(value, int | float) or match):
            raise ValueError(f"{_FORM}, but got {shown(value)}")
        amount = float(match[1]) if match else _as_float(value)
        if not math.isfinite(amount) or not 0 < amount <= _MOST:
            raise ValueError(f"{_FORM}, above 0 and at most {_MOST:,}, but got {shown(value)}")
        return cls(amount, "minutes" if match and match[2] else "retrainings")

    def plain(self) -> float | str:
        """As `parse` reads it."""
        return f"{self.amount!r} min" if self.unit == "minutes" else self.amount

    def __str__(self) -> str:
        if self.unit == "minutes":
            return f"{self.amount:g} min"
        return f"{self.amount:g} retraining{'' if self.amount == 1 else 's'}"


def kept_for_the_end(limit_s: float, run_s: float, most: int) -> float:
    """The part of a budget that the search leaves for runs with fresh seeds.

    It is two fifths; or, where that is too little for two finalists with two runs each and one run that confirms the
    choice, what these take, but three fifths at most. No more is kept than the runs can take.

    Args:
        limit_s: The budget in seconds.
        run_s: Seconds of it that a run takes.
        most: Runs at most.
    """
    fewest_s = min(run_s * _FEWEST_RUNS, _LARGEST_SHARE * limit_s)
    return min(run_s * most, max(fewest_s, _SHARE * limit_s))


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


BudgetValue = Annotated[Budget, PlainValidator(Budget.parse), PlainSerializer(Budget.plain)]
"""A `Budget` as a setting."""
