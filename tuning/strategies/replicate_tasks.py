"""Replicates, or stretches of epochs, as tasks: what the next free worker does where trials are promoted."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from tuning.strategies.promotion import Promotion
from tuning.strategies.standing import Standing


@dataclass(frozen=True)
class ReplicateTask:
    """One replicate of one trial, or its only one up to a rung.

    Attributes:
        number: The trial.
        replicate: From 0.
        rung: Replicates or epochs that the trial is to come to before it is compared again.
    """

    number: int
    replicate: int
    rung: int


class ReplicateTasks:
    """The replicates of trials under way: which wait for a worker, and which trials have come to a rung.

    Args:
        promotion: Says which trials go on.
        in_a_row: Whether rungs count the epochs of a single replicate, which one worker at a time can do.
    """

    def __init__(self, promotion: Promotion, *, in_a_row: bool = False) -> None:
        self._promotion, self._in_a_row = promotion, in_a_row
        self._waiting: deque[ReplicateTask] = deque()
        self._missing: dict[int, set[int]] = {}  # replicates up to the rung, by trial
        self._rungs: dict[int, int] = {}

    @property
    def rungs(self) -> tuple[int, ...]:
        """Replicates or epochs, ascending."""
        return self._promotion.rungs

    @property
    def first_rung(self) -> int:
        """Where new trials go."""
        return self._promotion.rungs[0]

    @property
    def last_rung(self) -> int:
        """Replicates or epochs of a whole trial."""
        return self._promotion.rungs[-1]

    def open(self, number: int, rung: int, done: Collection[int] = ()) -> bool:
        """Begins a trial, or goes on with it to a rung: what is missing waits for workers.

        Args:
            number: The trial.
            rung: Replicates or epochs that it is to come to.
            done: Replicates or epochs that it has, from 0.

        Returns:
            Whether anything is missing.
        """
        self._promotion.go(number, rung)
        missing = [each for each in range(rung) if each not in done]
        if self._in_a_row:
            missing = [0] if missing else []
        self._rungs[number], self._missing[number] = rung, set(missing)
        self._waiting.extend(ReplicateTask(number, replicate, rung) for replicate in missing)
        return bool(missing)

    def next(self, *, drained: bool = False, promote: bool = True) -> ReplicateTask | None:
        """What a free worker does next; None if only a new trial is left to begin, if anything.

        Args:
            drained: Whether nothing runs and no trial is left to begin.
            promote: Whether trials may be promoted, or only what has been promoted is run.
        """
        while not self._waiting:
            promoted = self._promotion.next(drained=drained) if promote else None
            if promoted is None:
                return None
            number, rung = promoted
            self.open(number, rung, range(self._rungs[number]))
        return self._waiting.popleft()

    def again(self, task: ReplicateTask) -> None:
        """A worker died: its replicate is what the next one does."""
        if task.number in self._missing:
            self._waiting.appendleft(task)

    def done(self, task: ReplicateTask) -> bool:
        """A replicate has come to its end. Returns whether its trial has thereby come to its rung."""
        missing = self._missing.get(task.number)
        if missing is None or task.replicate not in missing:
            return False
        missing.discard(task.replicate)
        return not missing

    def stand(self, number: int, standing: Standing) -> None:
        """A trial that has come to its rung, not the last, waits there for its promotion."""
        self._promotion.arrive(number, self._rungs[number], standing)

    def remember(self, number: int, rung: int, standing: Standing) -> None:
        """A trial came to a rung, not the last, before this driver began."""
        self._promotion.arrive(number, rung, standing)

    def end(self, number: int) -> None:
        """A trial has ended: nothing of it is to be run."""
        self._promotion.end(number)
        self._missing.pop(number, None)
        self._rungs.pop(number, None)
        self._waiting = deque(task for task in self._waiting if task.number != number)

    def settled(self, n_trials: int) -> list[int]:
        """Trials that will not go on; see `Promotion.settled`."""
        return self._promotion.settled(n_trials)
