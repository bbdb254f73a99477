"""MLflow as a view of the study: one parent run a study, one child a trial. Logging never blocks or ends a search.

The study's journal is the outbox: it holds everything that MLflow is told, with timestamps. `mlflow.json` beside it
remembers how much of it which store has.
"""

from tuning.tracking.background import Tracker
from tuning.tracking.content import EXPERIMENT, Ending, StudyFacts
from tuning.tracking.delivery import Delivery, DeliveryError, rebuild, sync
from tuning.tracking.view import MlflowView

__all__ = [
    "EXPERIMENT",
    "Delivery",
    "DeliveryError",
    "Ending",
    "MlflowView",
    "StudyFacts",
    "Tracker",
    "rebuild",
    "sync",
]
