"""A small original model of scikit-learn's digits, which has to forget the digit 3: what the suites work on."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from antisample.config import UnlearnConfig
from antisample.inputs import UnlearnInputs, load_inputs

_FOLDER = TemporaryDirectory(prefix="antisample-testing-")


@cache
def digits_config() -> UnlearnConfig:
    """The configuration of the unlearning; its cache lasts as long as the process."""
    return UnlearnConfig.parse(
        {
            "data": {"source": "digits", "cache_dir": str(Path(_FOLDER.name))},
            "model": {"name": "SmallCNN", "recipe": {"epochs": 6, "batch_size": 64}},
            "forget": {"classes": [3]},
            "method": {"name": "antisample", "epochs": 2},
            "device": "cpu",
        }
    )


@cache
def digits_inputs() -> UnlearnInputs:
    """Data, splits and original model, made once per process in a few seconds."""
    return load_inputs(digits_config())
