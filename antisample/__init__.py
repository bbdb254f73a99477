"""The core of antisample: make a trained classifier forget. Knows nothing of searching or tracking."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from antisample.errors import AntisampleError, ConfigError, DataError, DivergedError

if TYPE_CHECKING:
    from antisample.config import UnlearnConfig
    from antisample.data.drawing import SplitConfig
    from antisample.data.forget_request import ForgetRequest
    from antisample.datasets.config import DataConfig
    from antisample.inputs import UnlearnInputs, load_inputs
    from antisample.metrics import evaluate
    from antisample.models.config import ModelConfig
    from antisample.objects.forgetting import forget
    from antisample.objects.result import ForgetResult
    from antisample.types import Dataset, EpochReport, Splits, StepReport, UnlearnMetrics
    from antisample.unlearning import Unlearning, subject_of, unlearn

__version__ = "0.1.0"

_HOMES = {
    "config": ("UnlearnConfig",),
    "data.forget_request": ("ForgetRequest",),
    "data.splits": ("SplitConfig",),
    "datasets.config": ("DataConfig",),
    "inputs": ("UnlearnInputs", "load_inputs"),
    "metrics": ("evaluate",),
    "models.config": ("ModelConfig",),
    "objects.forgetting": ("forget",),
    "objects.result": ("ForgetResult",),
    "types": ("Dataset", "EpochReport", "Splits", "StepReport", "UnlearnMetrics"),
    "unlearning": ("Unlearning", "subject_of", "unlearn"),
}

__all__ = [
    "AntisampleError",
    "ConfigError",
    "DataConfig",
    "DataError",
    "Dataset",
    "DivergedError",
    "EpochReport",
    "ForgetRequest",
    "ForgetResult",
    "ModelConfig",
    "SplitConfig",
    "Splits",
    "StepReport",
    "UnlearnConfig",
    "UnlearnInputs",
    "UnlearnMetrics",
    "Unlearning",
    "evaluate",
    "forget",
    "load_inputs",
    "subject_of",
    "unlearn",
]


def __getattr__(name: str) -> Any:
    """Imports on first use: whoever asks for help or an exception does not wait for torch."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"antisample.{module}"), name)
    raise AttributeError(f"module 'antisample' has no attribute {name!r}")
