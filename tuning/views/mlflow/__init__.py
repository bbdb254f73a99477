"""MLflow as a view of the study: one parent run a study, one child a trial. Logging never blocks or ends a search.

The study's journal is the outbox: it holds everything that MLflow is told, with timestamps. `mlflow.json` beside it
remembers how much of it which store has. MLflow takes seconds to import, and is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tuning.views.mlflow.payload import EXPERIMENT, SearchSummary, StudyMetadata
from tuning.views.mlflow.tracker import Tracker

if TYPE_CHECKING:
    from tuning.views.mlflow.delivery import Delivery, DeliveryError, rebuild, sync
    from tuning.views.mlflow.packaging import pack_model
    from tuning.views.mlflow.writer import MlflowWriter

_HOMES = {
    "Delivery": "delivery",
    "DeliveryError": "delivery",
    "MlflowWriter": "writer",
    "pack_model": "packaging",
    "rebuild": "delivery",
    "sync": "delivery",
}

__all__ = [
    "EXPERIMENT",
    "Delivery",
    "DeliveryError",
    "SearchSummary",
    "MlflowWriter",
    "StudyMetadata",
    "Tracker",
    "pack_model",
    "rebuild",
    "sync",
]


def __getattr__(name: str) -> Any:
    """Imports on first use: a search begins without waiting for MLflow."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
