"""What each command of the command line does; `tuning.cli` says how it is called."""

from tuning.commands.models import pretrain, unlearn
from tuning.commands.published import reproduce, toy
from tuning.commands.spaces import spaces
from tuning.commands.studies import report, resume, run
from tuning.commands.tracking import mlflow_rebuild, mlflow_sync

__all__ = [
    "mlflow_rebuild",
    "mlflow_sync",
    "pretrain",
    "report",
    "reproduce",
    "resume",
    "run",
    "spaces",
    "toy",
    "unlearn",
]
