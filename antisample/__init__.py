"""The core of antisample: make a trained classifier forget classes. Knows nothing of searching or tracking."""

from antisample.config import DataConfig, ModelConfig, UnlearnConfig
from antisample.errors import AntisampleError, ConfigError, DataError, DivergedError
from antisample.metrics import evaluate
from antisample.splits import ForgetRequest, SplitConfig
from antisample.types import Dataset, Splits, StepReport, UnlearnMetrics
from antisample.unlearn import Unlearning, UnlearnInputs, load_inputs, unlearn

__version__ = "0.1.0"

__all__ = [
    "AntisampleError",
    "ConfigError",
    "DataConfig",
    "DataError",
    "Dataset",
    "DivergedError",
    "ForgetRequest",
    "ModelConfig",
    "SplitConfig",
    "Splits",
    "StepReport",
    "UnlearnConfig",
    "UnlearnInputs",
    "UnlearnMetrics",
    "Unlearning",
    "evaluate",
    "load_inputs",
    "unlearn",
]
