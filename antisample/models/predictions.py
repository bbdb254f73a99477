"""What a model says about labelled images: every metric is computed from it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from antisample.data.loader import Normaliser
from antisample.types import ImageSet, IndexArray


@dataclass(frozen=True)
class Predictions:
    """What a model says about labelled images.

    Attributes:
        probabilities: float32, [n, classes], rows sum to 1.
        losses: Cross-entropy in nats, float32, [n].
        labels: True labels, int64, [n].
        forget: Which images are to be forgotten, [n], where single samples are; None: their class tells.
    """

    probabilities: npt.NDArray[np.float32]
    losses: npt.NDArray[np.float32]
    labels: IndexArray
    forget: npt.NDArray[np.bool_] | None = None

    @classmethod
    def of_samples(cls, forget: "Predictions", others: "Predictions") -> "Predictions":
        """Predictions on samples to forget, and on other images behind them."""
        return cls(
            np.concatenate([forget.probabilities, others.probabilities]),
            np.concatenate([forget.losses, others.losses]),
            np.concatenate([forget.labels, others.labels]),
            np.repeat([True, False], [len(forget.labels), len(others.labels)]),
        )

    def correct(self) -> npt.NDArray[np.bool_]:
        """Whether the most probable class is the true one, [n]."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.labels)

    def confidence(self) -> npt.NDArray[np.float32]:
        """Probability given to the true class, [n]."""
        return np.asarray(np.take_along_axis(self.probabilities, self.labels[:, None], axis=1).squeeze(1))

    def forget_mask(self, forget_classes: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Which images are to be forgotten: those of these classes, or where samples are, these; [n]."""
        return np.isin(self.labels, forget_classes) if self.forget is None else self.forget

    def confusion(self) -> npt.NDArray[np.int64]:
        """Counts of images by true class (row) and predicted class (column), [classes, classes]."""
        n_classes = self.probabilities.shape[1]
        cells = self.labels * n_classes + self.probabilities.argmax(axis=1)
        return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


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
