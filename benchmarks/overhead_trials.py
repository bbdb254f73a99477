"""Trials that do nothing but wait, for `bench_overhead.py`: one for our search, one for a bare Ray Tune script."""

import time
from pathlib import Path
from typing import Any

from ray import tune

from tuning.config.loading import parse_study
from tuning.config.study import StudyConfig
from tuning.worker.messages import TrialAssignment, TrialReport, TrialResult

SLEEP_S = 0.2
SPACE = {
    "unlearn_scale_lr": tune.loguniform(0.1, 6.0),
    "local_variance": tune.loguniform(0.1, 10.0),
    "p": tune.uniform(0.5, 1.0),
    "tail_randomized": tune.lograndint(1, 50),
    "size_multiplier": tune.randint(1, 6),
    "generated_fraction": tune.loguniform(0.1, 2.0),
    "combination_temperature": tune.loguniform(1.0, 30.0),
    "retain_fraction": tune.uniform(0.3, 1.0),
}


def study_config(folder: Path, n_trials: int, uri: str, sampler: str = "tpe", **more: Any) -> StudyConfig:
    """A study over the same eight parameters; `more` goes into its file."""
    return parse_study(
        {
            "name": "overhead",
            "runs_dir": str(folder),
            "memory": "none",
            "data": {"source": "digits"},
            "model": {"name": "SmallCNN"},
            "forget": {"classes": [3]},
            "evaluation": {"final": []},
            "space": "antisample-published",
            "fixed": {"epochs": 1, "batchnorm_mode": "eval"},
            "n_trials": n_trials,
            "sampler": sampler,
            "tracking_uri": uri,
            **more,
        }
    )


def objectives(params: dict[str, Any]) -> tuple[float, float]:
    """Two that conflict, as cheap as can be."""
    pull = params["unlearn_scale_lr"] / 6
    rest = abs(params["p"] - 0.8) + abs(params["local_variance"] - 2) / 10
    return (1 - pull) ** 2 + 0.1 * rest, 1 - 0.5 * pull**2 - 0.1 * rest


def _metrics(params: dict[str, Any]) -> dict[str, float]:
    forget, retain = objectives(params)
    names = ("validation/forget_accuracy", "validation/retain_accuracy", "validation/forget_confidence")
    return dict(zip(names, (forget, retain, forget), strict=True))


def content(params: dict[str, Any]) -> dict[str, Any]:
    """The report of the only epoch."""
    return {
        "step": 1,
        "replicate": 0,
        "elapsed_s": SLEEP_S,
        "evaluation_s": 0.0,
        "train_loss": 0.0,
        "metrics": _metrics(params),
        "last": True,
    }


def final(params: dict[str, Any]) -> dict[str, Any]:
    """The end of the trial."""
    return {
        "metrics": _metrics(params),
        "counts": {},
        "spread": {},
        "batch_halvings": 0,
        "worker": "here",
        "versions": {},
    }


class StudyTrial(tune.Trainable):
    """Waits, and reports as `UnlearnTrainable` does."""

    def setup(self, config: dict[str, Any]) -> None:
        """Ray's hook."""
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Ray's hook for the next trial in the same worker."""
        self._trial = TrialAssignment.from_config(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """The whole trial."""
        time.sleep(SLEEP_S)
        params = self._trial.params
        result = TrialResult(**final(params))
        return TrialReport(token=self._trial.token, **content(params), result=result).to_ray()


class BareTrial(tune.Trainable):
    """Waits, and reports two metrics."""

    def setup(self, config: dict[str, Any]) -> None:
        """Ray's hook."""
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Ray's hook for the next trial in the same worker."""
        self._params = dict(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """The whole trial."""
        time.sleep(SLEEP_S)
        forget, retain = objectives(self._params)
        return {"forget": forget, "retain": retain, "done": True}
