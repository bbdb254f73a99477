"""Relearning in steps: how fast a forgotten class comes back from a few labels, whatever was done to the outputs.

A probe reads a network as it is. Training moves all of its weights, so it also sees what an edit has put out of a
probe's reach. docs/metrics.md defines each figure.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from antisample.data.loader import to_device
from antisample.device import differentiable
from antisample.errors import DivergedError
from antisample.metrics.base import EvaluationSubject, even_positions
from antisample.metrics.logistic_probe import LogisticProbe
from antisample.metrics.probe import MOST_JUDGED, MOST_ROWS
from antisample.metrics.stage_features import stage_features
from antisample.models import optimised_for
from antisample.models.masked_outputs import bare_network
from antisample.models.stages import StageOutputs
from antisample.seeds import numpy_stream, undisturbed
from antisample.training.adam import Adam
from antisample.types import Dataset, IndexArray, SplitName, Splits

LABELS = 50
BATCH_SIZE = 64
LEARNING_RATE = 1e-4
STEPS = (0, 1, 2, 4, 8, 16, 32, 64)
_PARTS: tuple[SplitName, ...] = ("validation", "test")

RelearnCurve = Mapping[int, float]
"""The share of held-out images of the forgotten classes that are recognised, by step."""


class RelearnSteps:
    """Accuracy on the forgotten classes after steps of training from 50 labels per class, with a fresh head.

    The head is the linear probe on the pooled outputs of the last stage, fitted to the labels; step 0 is that. Then
    the whole network is trained on these labels for 64 steps: Adam, learning rate 1e-4, cross-entropy, batches of 64,
    eval mode, no augmentation.

    Attributes:
        names: `relearn_0`, `relearn_8`, `relearn_32`, `relearn_64`, the accuracy on the part's images of the
            forgotten classes after so many steps; `relearn_area`, the mean of the curve over 0, 1, 2, 4, ..., 64
            steps by the trapezoidal rule, these points taken to be equally far apart.
        parts: Validation and test.
    """

    names: ClassVar[tuple[str, ...]] = ("relearn_0", "relearn_8", "relearn_32", "relearn_64", "relearn_area")
    parts: ClassVar[tuple[SplitName, ...]] = _PARTS
    needs_stages: ClassVar[bool] = True

    def problems(self, dataset: Dataset, splits: Splits) -> list[str]:
        """See `MetricFamily.problems`."""
        del dataset
        return ["Relearning is defined for forgotten classes"] if splits.by_samples else []

    def compute(self, subject: EvaluationSubject, part: SplitName) -> dict[str, float]:
        """See `MetricFamily.compute`.

        Raises:
            DivergedError: If outputs of a stage, or the training, are not finite.
            ConfigError: If the network has no stages.
        """
        curve = subject.once("relearn curves", lambda: relearn_curves(subject))[part]
        return {**{f"relearn_{step}": curve[step] for step in (0, 8, 32, 64)}, "relearn_area": area(curve)}


def area(curve: RelearnCurve) -> float:
    """The mean of a curve by the trapezoidal rule, its steps taken to be equally far apart: a logarithmic axis."""
    values = [curve[step] for step in STEPS]
    return float(np.trapezoid(values) / (len(values) - 1))


def relearn_curves(subject: EvaluationSubject) -> dict[SplitName, dict[int, float]]:
    """Trains a copy of the subject's network with a fresh head, and judges it on the way.

    Labels, batches and judged images are the same for every network. A mask has the original's curve, since its head
    is replaced.

    Returns:
        By part, the accuracy in [0, 1] on its images of the forgotten classes, at most 2,000, evenly spaced, by step.

    Raises:
        DivergedError: If outputs of the last stage, or the training, are not finite.
        ConfigError: If the network has no stages.
    """
    dataset, device, seed = subject.dataset, subject.device, subject.settings.seed
    last = subject.original.stage_names(dataset)[-1:]
    positions = labelled_positions(dataset, subject.splits, seed)
    labels = dataset.train.labels[positions]
    copied = bare_network(subject.original.with_weights(dataset, dict(subject.model.state_dict()))).to(device)
    copied = optimised_for(copied, subject.original.name, dataset.train.images.shape[1:], device).eval()
    features = stage_features(subject, copied, last, dataset.train, positions)
    probe = LogisticProbe.fit(features, labels, dataset.n_classes)
    curves: dict[SplitName, dict[int, float]] = {part: {} for part in _PARTS}
    with (
        StageOutputs(copied, last, with_gradients=True) as outputs,
        differentiable(outputs.model),
        undisturbed(device),
    ):
        head = _head(probe, device)
        pixels, targets = to_device(dataset.train, positions, device)
        normalise = subject.normaliser()
        trained = [*outputs.model.parameters(), *head.parameters()]
        optimizer = Adam(trained, LEARNING_RATE)
        batches = _batches(len(positions), seed)
        for step in range(STEPS[-1] + 1):
            if step in STEPS:
                for part, curve in curves.items():
                    curve[step] = _accuracy(subject, outputs, head, part)
            if step < STEPS[-1]:
                batch = torch.from_numpy(batches[step]).to(device)
                loss = nn.functional.cross_entropy(head(outputs(normalise(pixels[batch]))), targets[batch])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
    return curves


def labelled_positions(dataset: Dataset, splits: Splits, seed: int) -> IndexArray:
    """The training images whose labels are given: 50 of each class, or fewer where all would be more than 20,000."""
    positions = np.sort(np.concatenate([splits.forget, splits.retain]))
    labels = dataset.train.labels[positions]
    per_class = max(1, min(LABELS, MOST_ROWS // dataset.n_classes))
    return np.concatenate(
        [
            numpy_stream(seed, "relearn labels", label).permutation(positions[labels == label])[:per_class]
            for label in range(dataset.n_classes)
        ]
    )


def _batches(n: int, seed: int) -> list[IndexArray]:
    """What each step is trained on: the labelled images in one random order after another, 64 at a time."""
    needed = STEPS[-1] * min(BATCH_SIZE, n)
    orders = [numpy_stream(seed, "relearn order", i).permutation(n) for i in range(-(-needed // n))]
    return np.split(np.concatenate(orders)[:needed], STEPS[-1])


def _head(probe: LogisticProbe, device: torch.device) -> nn.Linear:
    """The probe as a layer."""
    head = nn.Linear(*probe.weights.shape)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(probe.weights.T))
        head.bias.copy_(torch.from_numpy(probe.intercepts))
    return head.to(device)


def _accuracy(subject: EvaluationSubject, outputs: StageOutputs, head: nn.Linear, part: SplitName) -> float:
    """The share of the part's images of the forgotten classes that are recognised."""
    images, forget = subject.forget_positions(part)
    positions = even_positions(forget, MOST_JUDGED)
    normalise, size = subject.normaliser(), subject.eval_batch_size
    right: list[npt.NDArray[np.bool_]] = []
    with torch.no_grad():
        for start in range(0, len(positions), size):
            chosen = positions[start : start + size]
            scores: Tensor = head(outputs(normalise(torch.from_numpy(images.images[chosen]).to(subject.device))))
            if not bool(scores.isfinite().all()):
                raise DivergedError("The outputs of the network are not finite while it relearns.")
            right.append(scores.argmax(dim=1).cpu().numpy() == images.labels[chosen])
    return float(np.concatenate(right).mean())
