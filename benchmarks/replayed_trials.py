"""Trials that replay recorded unlearnings in real time, or a share of it, for `bench_promotion_ray.py`."""

import os
import time
from functools import cache
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from ray import tune
from simulator import Curves

from tuning.worker.messages import FinishedReplicate, TrialAssignment, TrialReport, TrialResult

CURVES, ORDER, SCALE = "REPLAYED_CURVES", "REPLAYED_ORDER", "REPLAYED_SCALE"
"""Environment variables: the recording, the seed of the order, and the share of the recorded seconds to wait."""


@cache
def recording() -> Curves:
    """What is replayed."""
    return Curves.read(Path(os.environ[CURVES]))


@cache
def order() -> list[int]:
    """The recorded configuration of each trial, by its number."""
    return np.random.default_rng(int(os.environ[ORDER])).permutation(len(recording().points)).tolist()


def _metrics(number: int, replicate: int) -> dict[str, float]:
    forget, error = recording().points[order()[number]][replicate]
    return {
        "validation/forget_accuracy": forget,
        "validation/retain_accuracy": 1 - error,
        "validation/forget_confidence": forget,
    }


class ReplayedTrial(tune.Trainable):
    """Reports as `UnlearnTrainable` does, one epoch a replicate, whatever parameters it is given."""

    def setup(self, config: dict[str, Any]) -> None:
        """Ray's hook."""
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Ray's hook for the next trial in the same worker."""
        self._trial = TrialAssignment.from_config(new_config)
        self._finished = list(self._trial.finished[: len(self._trial.seeds) - 1])
        return True

    def step(self) -> dict[str, Any]:
        """A whole replicate."""
        trial = self._trial
        replicate = trial.replicate if trial.replicate is not None else len(self._finished)
        waited = recording().seconds[order()[trial.number]][replicate] * float(os.environ[SCALE])
        time.sleep(waited)
        metrics, step = _metrics(trial.number, replicate), len(self._finished) + 1
        elapsed_s = waited + (self._finished[-1].elapsed_s if self._finished else 0.0)
        self._finished.append(FinishedReplicate(metrics, elapsed_s, 0.0, step))
        ends = trial.replicate is not None or len(self._finished) == len(trial.seeds)
        report = TrialReport(
            token=trial.token,
            step=step,
            replicate=replicate,
            elapsed_s=elapsed_s,
            evaluation_s=0.0,
            train_loss=0.0,
            metrics=metrics,
            last=True,
            result=self._result() if ends else None,
        )
        return report.to_ray()

    def _result(self) -> TrialResult:
        by_name = {name: [each.metrics[name] for each in self._finished] for name in self._finished[0].metrics}
        return TrialResult(
            metrics={name: fmean(values) for name, values in by_name.items()},
            spread={name: stdev(values) for name, values in by_name.items() if len(values) > 1},
            counts={},
            batch_halvings=0,
            worker="here",
            versions={},
        )
