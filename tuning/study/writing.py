"""How a study writes: all changes of one call at once, and none to trials that somebody else has ended."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from optuna.exceptions import UpdateFinishedTrialError

F = TypeVar("F", bound=Callable[..., Any])


def unless_ended(method: F) -> F:
    """Leaves a trial alone that somebody else has ended, by Optuna's API or dashboard, while it ran."""

    @wraps(method)
    def whole(self: Any, key: str, *args: Any, **kwargs: Any) -> Any:
        trial = self._running.get(key)
        try:
            return method(self, key, *args, **kwargs)
        except UpdateFinishedTrialError:
            if trial is None:
                raise
            self._running.pop(key, None)
            self._announce(trial.number)
            return False

    return cast(F, whole)


def batched(method: F) -> F:
    """Has all changes of one call on the disk at its end, instead of waiting for the disk after each."""

    @wraps(method)
    def whole(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self._storage.batch_writes():
            return method(self, *args, **kwargs)

    return cast(F, whole)
