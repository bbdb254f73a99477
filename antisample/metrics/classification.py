"""Accuracy, confidence and loss on the forget and retain images of one part of the data."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from antisample.loader import Normaliser
from antisample.types import ImageSet, IndexArray


@dataclass(frozen=True)
class Predictions:
    """What a model says about labelled images.

    Attributes:
        probabilities: float32, [n, classes], rows sum to 1.
        losses: Cross-entropy in nats, float32, [n].
        labels: True labels, int64, [n].
    """

    probabilities: npt.NDArray[np.float32]
    losses: npt.NDArray[np.float32]
    labels: IndexArray

    def correct(self) -> npt.NDArray[np.bool_]:
        """Whether the most probable class is the true one, [n]."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.labels)


def predict(
    model: nn.Module,
    images: ImageSet,
    positions: IndexArray,
    normalise: Normaliser,
    device: torch.device,
    batch_size: int,
) -> Predictions:
    """Runs the model in eval mode over the images at `positions`; its mode is restored.

    Args:
        model: Maps normalised images to logits, on `device`.
        images: Where the positions point into.
        positions: int64, [n], n at least 1.
        normalise: Maps uint8 images to the model's input.
        device: Where to compute.
        batch_size: Images a forward pass.

    Returns:
        Predictions in the order of `positions`.
    """
    was_training = model.training
    model.eval()
    probabilities: list[Tensor] = []
    losses: list[Tensor] = []
    with torch.inference_mode():
        for start in range(0, len(positions), batch_size):
            chosen = positions[start : start + batch_size]
            inputs = normalise(torch.from_numpy(images.images[chosen]).to(device))
            logits = model(inputs).float()
            labels = torch.from_numpy(images.labels[chosen]).to(device)
            probabilities.append(logits.softmax(dim=1))
            losses.append(nn.functional.cross_entropy(logits, labels, reduction="none"))
    model.train(was_training)
    return Predictions(
        torch.cat(probabilities).cpu().numpy(), torch.cat(losses).cpu().numpy(), images.labels[positions]
    )


def summarise(predictions: Predictions, forget_classes: tuple[int, ...]) -> tuple[dict[str, float], dict[str, int]]:
    """Means over the forget images and over the retain images.

    Args:
        predictions: At least one image of each kind.
        forget_classes: Which labels count as forget.

    Returns:
        `forget_accuracy`, `retain_accuracy` in [0, 1]; `forget_confidence`, the mean probability that a forget image
        is given its own (forgotten) class, in [0, 1]; `forget_loss`, `retain_loss` in nats. And the image counts,
        `forget` and `retain`.
    """
    forget = np.isin(predictions.labels, forget_classes)
    correct = predictions.correct()
    own = np.take_along_axis(predictions.probabilities, predictions.labels[:, None], axis=1).squeeze(1)
    values = {
        "forget_accuracy": float(correct[forget].mean()),
        "retain_accuracy": float(correct[~forget].mean()),
        "forget_confidence": float(own[forget].mean(dtype=np.float64)),
        "forget_loss": float(predictions.losses[forget].mean(dtype=np.float64)),
        "retain_loss": float(predictions.losses[~forget].mean(dtype=np.float64)),
    }
    return values, {"forget": int(forget.sum()), "retain": int((~forget).sum())}
