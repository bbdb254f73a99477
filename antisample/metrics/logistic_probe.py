"""The linear probe itself: multinomial logistic regression with a fixed penalty, fitted to convergence."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from antisample.types import IndexArray

C = 0.01
"""Inverse strength of the penalty, as in scikit-learn's `LogisticRegression`; a part of the metric's definition."""
GRADIENT_TOLERANCE = 1e-6
_MOST_ITERATIONS = 2000
_RANK_TOLERANCE = 1e-12
_CONSTANT = 1e-6  # of a feature's mean: what float32 cannot tell apart

Features = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LogisticProbe:
    """Gives each class a score that is linear in the features.

    Attributes:
        weights: Of features as they come, not standardised, float64 [d, classes].
        intercepts: float64 [classes].
    """

    weights: Floats
    intercepts: Floats

    @classmethod
    def fit(cls, features: Features, labels: IndexArray, n_classes: int) -> "LogisticProbe":
        """Fits it: C times the sum of cross-entropies, plus half the squared norm of the weights, is least.

        Features are standardised before, by these images; intercepts are not penalised. It is fitted by L-BFGS in
        float64, along the principal components of the features, each scaled by the curvature that is to be expected:
        the least value lies in the same place, and is found in a tenth of the steps. It ends where no entry of the
        gradient of the mean loss in these coordinates exceeds 1e-6.

        Args:
            features: [n, d].
            labels: int64 [n], in [0, n_classes).
            n_classes: Number of scores.
        """
        from scipy.optimize import minimize  # noqa: PLC0415  (a second that few need to wait for)

        mean, scale = _mean_and_scale(features)
        standardised = (features - mean) / scale
        n = len(labels)
        penalty = 1 / (C * n)
        directions, variances = _principal_components(standardised)
        steps = 1 / np.sqrt(variances * (1 - 1 / n_classes) / n_classes + penalty)
        directions = directions * steps
        coordinates = standardised @ directions
        penalties = (penalty * steps**2)[:, None]
        targets = np.zeros((n, n_classes))
        targets[np.arange(n), labels] = 1
        n_directions = len(steps)

        def loss_and_gradient(flat: Floats) -> tuple[float, Floats]:
            parameters = flat.reshape(n_directions + 1, n_classes)
            weights = parameters[:-1]
            scores = coordinates @ weights + parameters[-1]
            scores -= scores.max(axis=1, keepdims=True)
            of_true = (scores * targets).sum()
            np.exp(scores, out=scores)
            sums = scores.sum(axis=1, keepdims=True)
            shrunk = penalties * weights
            loss = (np.log(sums).sum() - of_true) / n + (shrunk * weights).sum() / 2
            errors = (scores / sums - targets) / n
            gradient = np.concatenate([coordinates.T @ errors + shrunk, errors.sum(axis=0, keepdims=True)])
            return float(loss), gradient.ravel()

        start = np.zeros((n_directions + 1) * n_classes)
        options = {"gtol": GRADIENT_TOLERANCE, "ftol": 0.0, "maxiter": _MOST_ITERATIONS, "maxcor": 10}
        solution = minimize(loss_and_gradient, start, jac=True, method="L-BFGS-B", options=options)
        parameters = solution.x.reshape(n_directions + 1, n_classes)
        weights = (directions @ parameters[:-1]) / scale[:, None]
        return cls(weights, parameters[-1] - mean @ weights)

    def recognised(self, features: Features, labels: IndexArray) -> Floats:
        """Whether an image's own class has the highest score: 1 or 0, and its share where several have; [n]."""
        scores = features @ self.weights + self.intercepts
        highest = scores == scores.max(axis=1, keepdims=True)
        return np.asarray(highest[np.arange(len(labels)), labels] / highest.sum(axis=1))


def _mean_and_scale(features: Features) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each feature; of one that is constant, 1 in the place of the latter."""
    mean = features.mean(axis=0, dtype=np.float64)
    deviation = features.std(axis=0, dtype=np.float64)
    return mean, np.where(deviation > _CONSTANT * np.abs(mean), deviation, 1.0)


def _principal_components(standardised: Floats) -> tuple[Floats, Floats]:
    """Directions that the rows span, [d, r], and the variance along each; the least weights lie in their span."""
    n, d = standardised.shape
    of_rows = n < d
    products = standardised @ standardised.T if of_rows else standardised.T @ standardised
    squares, vectors = np.linalg.eigh(products)
    kept = squares > _RANK_TOLERANCE * max(float(squares[-1]), 1.0)
    squares, vectors = squares[kept], vectors[:, kept]
    directions = (standardised.T @ vectors) / np.sqrt(squares) if of_rows else vectors
    return directions, squares / n
