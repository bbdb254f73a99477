import pytest

from tuning.config import StudyConfig
from tuning.study import Study
from tuning.study_file import parse_study


@pytest.fixture
def values(tmp_path) -> dict:
    """A study that names everything and computes nothing."""
    return {
        "name": "made",
        "runs_dir": str(tmp_path),
        "data": {"source": "digits"},
        "model": {"name": "SmallCNN"},
        "forget": {"classes": [3]},
        "published": ["ResNet9/mnist/100"],
        "sampler": "random",
        "n_trials": 4,
        "max_failures": 2,
    }


@pytest.fixture
def config(values) -> StudyConfig:
    return parse_study(values)


@pytest.fixture
def make_study():
    """Opens a study; calling it again is what a new driver does."""

    def make(config: StudyConfig) -> Study:
        config.directory.mkdir(parents=True, exist_ok=True)
        study = Study(config)
        if study.noted("original") is None:
            study.note("original", {"validation/forget_accuracy": 0.9, "validation/retain_accuracy": 0.9})
            study.note("id", "an id")
            study.note("created_ms", 1_700_000_000_123)
        return study

    return make


@pytest.fixture
def metrics():
    def make(forget: float, retain: float, confidence: float = 0.0) -> dict[str, float]:
        return {
            "validation/forget_accuracy": forget,
            "validation/retain_accuracy": retain,
            "validation/forget_confidence": confidence,
        }

    return make
