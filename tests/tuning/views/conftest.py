import pytest

from tuning.config.loading import parse_study
from tuning.study.attributes import BASELINES, ORIGINAL, ORIGINAL_COUNTS, RETRAINING
from tuning.study.study import Study

COUNTS = {f"{part}/{kind}": n for part in ("validation", "test") for kind, n in (("forget", 29), ("retain", 250))}


def figures(forget: float, retain: float, left: float, error: float = 0.02) -> dict[str, float]:
    """What is measured of a network, where depth is an objective."""
    both = {
        "forget_accuracy": forget,
        "retain_accuracy": retain,
        "probe_left": left,
        "probe_error": error,
        "probe_forget": 0.5 + left / 2,
        "probe_gap": 0.05 * left,
        "mia_loss": 0.52,
    }
    metrics = {f"{part}/{name}": value for part in ("validation", "test") for name, value in both.items()}
    drop = {"validation/mask_drop": 0.95 - retain, "validation/mask_drop_error": 0.01}
    return metrics | drop | {"validation/forget_confidence": forget / 2}


@pytest.fixture
def deep_figures():
    return figures


@pytest.fixture
def make_deep_study(values, make_study, report):
    """A study of three objectives: its trials as forget accuracy, retain accuracy and `probe_left`."""

    def make(trials, baselines=None, **changes) -> Study:
        changes.setdefault("constraints", [{"metric": "validation/retain_accuracy", "at_least": 0.85}])
        config = parse_study({**values, "name": "deep", "evaluation": {}, "n_trials": len(trials), **changes})
        study = make_study(config)
        study.note(ORIGINAL, figures(1.0, 0.94, 1.0, 0.0))
        study.note(ORIGINAL_COUNTS, COUNTS)
        if baselines is None:
            baselines = {
                "mask": figures(0.0, 0.95, 1.0, 0.0),
                "untrained": figures(0.0, 0.1, 0.0),
                "reference": figures(0.0, 0.95, 0.4),
            }
        study.note(BASELINES, baselines)
        study.note(RETRAINING, {"epochs": 10, "retain_images": 1000, "seconds": 200.0})
        (config.directory / "study.yaml").write_text(config.to_yaml())
        for key, trial in enumerate(trials):
            study.ask(str(key))
            study.report(str(key), report(1, trial[0]))
            study.complete(str(key), figures(*trial), COUNTS)
        return study

    return make


@pytest.fixture
def deep_study(make_deep_study) -> Study:
    """A published set, one that is chosen, one that has not forgotten, and a wrecked network."""
    return make_deep_study([(0.0, 0.93, 0.8), (0.0, 0.945, 0.6), (0.3, 0.94, 0.95), (0.0, 0.2, -0.1)])
