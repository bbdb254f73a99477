"""Distillation: on retain images the original model is the teacher, without what it is to forget."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from antisample.device import Precision, mixed_precision

Reduction = Callable[[Tensor, Tensor], Tensor]
"""Makes one loss of the losses of a batch's images, [b], and whether each is a retain image, [b]."""


class Distillation:
    """The loss of an image: (1 - d) x cross-entropy + d x T^2 x KL(teacher || student), both softened by T.

    After Hinton et al. (2015). The teacher's logits of the forgotten classes are masked before its softmax, so what
    it has to say of the images to forget is not handed on.

    Args:
        teacher: The original model on the device; put into eval mode, never changed.
        forgotten: Labels of the forgotten classes; not all of them.
        share: d, in (0, 1].
        temperature: T, larger than 0.
        precision: Of the teacher's forward pass.
    """

    def __init__(
        self,
        teacher: nn.Module,
        forgotten: Sequence[int],
        share: float,
        temperature: float,
        precision: Precision = "float32",
    ) -> None:
        self._teacher = teacher.eval().requires_grad_(False)
        self._forgotten, self._share, self._temperature = list(forgotten), share, temperature
        self._precision: Precision = precision

    def targets(self, images: Tensor) -> Tensor:
        """The teacher's softened probabilities, [b, classes]; 0 for forgotten classes."""
        with torch.no_grad(), mixed_precision(images.device, self._precision):
            logits: Tensor = self._teacher(images).float() / self._temperature
        for label in self._forgotten:
            logits[:, label] = -torch.inf
        return logits.softmax(dim=1)

    def mix(self, images: Tensor, logits: Tensor, losses: Tensor) -> Tensor:
        """Mixes the teacher's answers into the losses of images.

        Args:
            images: Normalised, [b, c, h, w].
            logits: The student's, [b, classes].
            losses: Cross-entropies, [b].

        Returns:
            Losses, [b].
        """
        targets = self.targets(images)
        student = log_softmax(logits / self._temperature, dim=1)
        divergence = kl_div(student, targets, reduction="none").sum(dim=1)  # 0 log 0 counts as 0
        return (1 - self._share) * losses + self._share * self._temperature**2 * divergence


class BatchLoss:
    """The loss of a batch whose images count differently, or have a teacher.

    Args:
        reduction: Makes one loss of those of all images.
        n_classes: Labels may come with this added, to say that an image is to be forgotten.
        distillation: For retain images; None if there is none.
    """

    def __init__(self, reduction: Reduction, n_classes: int, distillation: Distillation | None = None) -> None:
        self._reduction, self._n_classes, self._distillation = reduction, n_classes, distillation

    def __call__(self, images: Tensor, logits: Tensor, labels: Tensor, is_retain: Tensor) -> Tensor:
        """Computes the loss.

        Args:
            images: Normalised, [b, c, h, w].
            logits: float32, [b, classes].
            labels: int64, [b].
            is_retain: bool, [b].

        Returns:
            A scalar.
        """
        losses = cross_entropy(logits, labels % self._n_classes, reduction="none")
        if self._distillation is not None:
            losses = torch.where(is_retain, self._distillation.mix(images, logits, losses), losses)
        return self._reduction(losses, is_retain)


def mean(losses: Tensor, is_retain: Tensor) -> Tensor:
    """Every image counts the same."""
    del is_retain
    return losses.mean()
