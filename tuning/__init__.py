"""Hyperparameter search for unlearning: Ray Tune schedules, an Optuna study remembers, MLflow shows."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tuning.extras import require_extra

if TYPE_CHECKING:
    from tuning.config.loading import load_study
    from tuning.config.study import StudyConfig
    from tuning.driver.run import run_study
    from tuning.objects.result import SearchResult
    from tuning.objects.searching import search
    from tuning.study.outcome import Outcome

_HOMES = {
    "Outcome": "tuning.study.outcome",
    "SearchResult": "tuning.objects.result",
    "StudyConfig": "tuning.config.study",
    "load_study": "tuning.config.loading",
    "run_study": "tuning.driver.run",
    "search": "tuning.objects.searching",
}

_OF_A_SEARCH = ("Outcome", "SearchResult", "run_study", "search")

__all__ = ["Outcome", "SearchResult", "StudyConfig", "load_study", "run_study", "search"]


def __getattr__(name: str) -> Any:
    """Imports on first use: a worker that needs the trainable alone does not wait for MLflow and Optuna.

    Raises:
        MissingExtraError: An ImportError that names the extra, if the packages of a search are not installed.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'tuning' has no attribute {name!r}")
    if name in _OF_A_SEARCH:
        require_extra("search", f"`tuning.{name}`")
    return getattr(import_module(_HOMES[name]), name)
