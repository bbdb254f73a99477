"""Batches from tensors that already live on the device: uint8 images are normalised on the way into a batch."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from antisample.seeds import numpy_stream
from antisample.types import ImageSet, IndexArray, Preprocessing


class Normaliser:
    """Maps images to what the model expects, (pixel / 255 - mean) / std, as float32.

    Args:
        preprocessing: Mean and std, one value a channel.
        device: Where the images are.
    """

    def __init__(self, preprocessing: Preprocessing, device: torch.device) -> None:
        mean, std = (
            torch.tensor(values, dtype=torch.float32, device=device).view(1, -1, 1, 1)
            for values in (preprocessing.mean, preprocessing.std)
        )
        self._scale = 1 / (255 * std)
        self._shift = -mean / std

    @property
    def scale(self) -> Tensor:
        """How much a step of a pixel's value moves the result, float32, a value a channel."""
        return self._scale.flatten()

    def __call__(self, images: Tensor) -> Tensor:
        """Normalises uint8 images [n, channels, h, w]."""
        return torch.addcmul(self._shift, images.float(), self._scale)


def to_device(images: ImageSet, positions: IndexArray, device: torch.device) -> tuple[Tensor, Tensor]:
    """Copies the images at `positions` to `device`: [n, c, h, w] of their type, and int64 labels [n]."""
    return (
        torch.from_numpy(images.images[positions]).to(device),
        torch.from_numpy(images.labels[positions]).to(device),
    )


class TrainingData:
    """Training images, some as uint8 pixels and some (anti-samples) already normalised.

    Args:
        images: uint8, [n, c, h, w], on the device.
        labels: int64, [n], on the device.
        normalise: Maps `images` to the model's input.
        extra_images: float32, [m, c, h, w], already normalised.
        extra_labels: int64, [m].
        n_retain: How many of `images` are to be retained; those come first. By default all of them.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        normalise: Normaliser,
        extra_images: Tensor | None = None,
        extra_labels: Tensor | None = None,
        n_retain: int | None = None,
    ) -> None:
        self.images, self.normalise = images, normalise
        self.n_retain = len(images) if n_retain is None else n_retain
        self.extra_images = extra_images if extra_images is not None else images.new_empty(0, *images.shape[1:])
        self.labels = labels if extra_labels is None else torch.cat([labels, extra_labels])

    def __len__(self) -> int:
        return len(self.labels)

    def order(self, batch_size: int, seed: int, epoch: int) -> Tensor:
        """The order of one epoch, which depends on `seed` and `epoch` alone.

        Args:
            batch_size: Images a batch; the last batch may be smaller.
            seed: Seed of the run.
            epoch: Number of the epoch.

        Returns:
            Positions for `at`, int64 [n], on the device; within each batch, images given as pixels come first.
        """
        order = numpy_stream(seed, "order", epoch).permutation(len(self))
        batch = np.arange(len(order)) // batch_size
        order = order[np.argsort(2 * batch + (order >= len(self.images)), kind="stable")]
        return torch.from_numpy(order).to(self.images.device)

    def is_retain(self, positions: Tensor) -> Tensor:
        """Which of the images at `positions` are retain images, bool [b]."""
        return positions < self.n_retain

    def at(self, positions: Tensor, augment: Callable[[Tensor], Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """A batch, by the same operations whatever the positions, so that it can be part of a CUDA graph.

        Args:
            positions: int64 [b], on the device: pixel images first, then extra images.
            augment: Changes normalised images, [b, c, h, w]; the change is kept for retain images alone.

        Returns:
            Normalised float32 images [b, c, h, w] and int64 labels [b].
        """
        n_pixels, labels = len(self.images), self.labels[positions]
        if not n_pixels:
            return self.extra_images[positions], labels
        images = self.normalise(self.images[positions.clamp(max=n_pixels - 1)])
        if augment is not None:
            changed = augment(images)
            every = self.n_retain == n_pixels  # those that are none are replaced below
            images = changed if every else torch.where(self._by_image(self.is_retain(positions)), changed, images)
        if len(self.extra_images):
            extra = self.extra_images[(positions - n_pixels).clamp(min=0)]
            images = torch.where(self._by_image(positions >= n_pixels), extra, images)
        return images, labels

    def _by_image(self, mask: Tensor) -> Tensor:
        """A value per image, to be used with images."""
        return mask.view(-1, *[1] * (self.images.dim() - 1))
