"""What an unlearning that was not recorded would give: Gaussian processes over recorded ones, and their noise.

One process a figure: Matern 5/2 with a length for each parameter, and noise, over the means of the recorded
configurations. How well it predicts what it has not seen is cross-validated, each fold with lengths of its own.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from recording import CONFIDENCE, FORGET, RETAIN, SECONDS, Array, Recording, coordinates
from scipy.stats import spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel

from search_spaces import SearchSpace

_FOLDS, _NEAREST, _SMALLEST = 10, 12, 0.002
_IMAGES = {FORGET: 29, RETAIN: 258}  # behind an accuracy of the recorded digits

Change = tuple[Callable[[Array], Array], Callable[[Array], Array]]
_ARCSINE: Change = (
    lambda values: np.arcsin(np.sqrt(values)),
    lambda modelled: np.sin(np.clip(modelled, 0, np.pi / 2)) ** 2,
)
_LOG_ERROR: Change = (
    lambda values: np.log(1 - values + _SMALLEST),
    lambda modelled: np.clip(1 + _SMALLEST - np.exp(modelled), 0, 1),
)
_LOG: Change = (np.log, np.exp)
_PLAIN: Change = (lambda values: values, lambda modelled: modelled)
_CHANGES = {FORGET: _ARCSINE, CONFIDENCE: _ARCSINE, RETAIN: _LOG_ERROR, SECONDS: _LOG}


@dataclass(frozen=True)
class Fit:
    """How well a figure is predicted for configurations that were left out.

    Attributes:
        r2: Share of the variance that is explained, of the figure as it is modelled; below 0 if the mean does better.
        rank: Spearman's correlation.
        error: Mean absolute error of the figure itself.
    """

    r2: float
    rank: float
    error: float


def fitted(inputs: Array, targets: Array, start: Kernel | None = None) -> GaussianProcessRegressor:
    """A process of these configurations, of shape (n, d), and what they gave, of shape (n,); lengths are fitted."""
    lengths = np.ones(inputs.shape[1])
    plain = ConstantKernel(1.0, (0.01, 100)) * Matern(lengths, (0.05, 50), nu=2.5) + WhiteKernel(0.1, (1e-4, 2))
    process = GaussianProcessRegressor(start if start is not None else plain, normalize_y=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound is a parameter without effect
        return process.fit(inputs, targets)


def cross_validated(recording: Recording, space: SearchSpace, metric: str) -> Fit:
    """How well a figure of the recorded configurations is predicted from the others, in ten folds."""
    change, back = _CHANGES.get(metric, _PLAIN)
    inputs = np.array([coordinates(space, params) for params in recording.parameters])
    actual = recording.mean(metric)
    targets = change(actual)
    folds = np.random.default_rng(0).permutation(len(targets)) % _FOLDS
    predicted = np.empty(len(targets))
    start = fitted(inputs[folds != 0], targets[folds != 0]).kernel_
    for fold in range(_FOLDS):
        left_out = folds == fold
        predicted[left_out] = fitted(inputs[~left_out], targets[~left_out], start).predict(inputs[left_out])
    r2 = 1 - np.sum((targets - predicted) ** 2) / np.sum((targets - targets.mean()) ** 2)
    rank = spearmanr(targets, predicted).statistic
    return Fit(float(r2), float(rank), float(np.mean(np.abs(back(predicted) - actual))))


class Surrogate:
    """Answers any configuration of the space: its true figures, and what a trial of it would measure.

    Args:
        recording: Of a request, two replicates or more a configuration.
        space: Of the recorded configurations.
    """

    def __init__(self, recording: Recording, space: SearchSpace) -> None:
        self._space = space
        inputs = np.array([coordinates(space, params) for params in recording.parameters])
        self._processes = {
            metric: fitted(inputs, _CHANGES[metric][0](recording.mean(metric)))
            for metric in (FORGET, RETAIN, CONFIDENCE, SECONDS)
        }
        measured = np.stack([recording.figures[metric] for metric in (FORGET, RETAIN, CONFIDENCE)], axis=-1)
        self._means = measured.mean(axis=1)
        n = measured.shape[1]
        self._residuals = (measured - self._means[:, None]) * np.sqrt(n / (n - 1))

    def truth(self, params: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
        """What configurations give in the mean, and the seconds of a replicate, each of shape (configurations,)."""
        inputs = np.array([coordinates(self._space, each) for each in params])
        return {metric: _CHANGES[metric][1](process.predict(inputs)) for metric, process in self._processes.items()}

    def runs(self, truth: Mapping[str, float], n: int, draws: np.random.Generator) -> list[dict[str, float]]:
        """What replicates of a configuration measure: its truth, and what recorded ones like it were off by."""
        figures = np.array([truth[FORGET], truth[RETAIN], truth[CONFIDENCE]])
        near = np.argsort(np.sum((self._means - figures)[:, :2] ** 2, axis=1))[:_NEAREST]
        residuals = self._residuals[near].reshape(-1, 3)
        measured = np.clip(figures + draws.choice(residuals, n), 0, 1)
        runs = [dict(zip((FORGET, RETAIN, CONFIDENCE), map(float, row), strict=True)) for row in measured]
        return [
            {**run, **{name: round(run[name] * images) / images for name, images in _IMAGES.items()}} for run in runs
        ]
