"""The loss against its definition, written out with NumPy's arithmetic."""

import numpy as np
import pytest
import torch
from torch import nn

from antisample.training.distillation import BatchLoss, Distillation, mean

FORGOTTEN, SHARE, TEMPERATURE = 1, 0.3, 2.0


class Fixed(nn.Module):
    """A teacher that answers with the first numbers of an image."""

    def forward(self, images):
        return images.flatten(1)[:, :4]


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(6, 1, 3, 3, generator=generator)
    logits = torch.randn(6, 4, generator=generator)
    return images, logits, torch.tensor([0, 2, 3, 0, 1, 1]), torch.tensor([True] * 4 + [False] * 2)


def expected_losses(images, logits, labels, is_retain):
    student = softmax(logits.double().numpy())
    losses = -np.log(student[np.arange(6), labels.numpy()])
    teacher = images.double().flatten(1)[:, :4].numpy() / TEMPERATURE
    teacher[:, FORGOTTEN] = -np.inf
    target, softened = softmax(teacher), softmax(logits.double().numpy() / TEMPERATURE)
    ratio = np.where(target > 0, target, 1) / softened
    divergence = (target * np.log(ratio)).sum(axis=1)
    mixed = (1 - SHARE) * losses + SHARE * TEMPERATURE**2 * divergence
    return np.where(is_retain.numpy(), mixed, losses)


def test_retain_images_learn_from_the_teacher_without_its_forgotten_class(batch):
    images, logits, labels, is_retain = batch
    distillation = Distillation(Fixed(), (FORGOTTEN,), SHARE, TEMPERATURE)
    loss = BatchLoss(mean, 4, distillation)(images, logits, labels, is_retain)
    assert float(loss) == pytest.approx(expected_losses(*batch).mean(), rel=1e-5)
    assert (distillation.targets(images)[:, FORGOTTEN] == 0).all()


def test_labels_may_say_that_an_image_is_to_be_forgotten(batch):
    images, logits, labels, is_retain = batch
    loss = BatchLoss(mean, 4)
    moved = torch.where(is_retain, labels, labels + 4)
    assert torch.equal(loss(images, logits, moved, is_retain), loss(images, logits, labels, is_retain))


def test_a_student_that_answers_as_the_teacher_has_nothing_to_learn():
    images = torch.randn(5, 1, 3, 3)
    logits = images.flatten(1)[:, :4].clone()
    logits[:, FORGOTTEN] = -1e4
    logits.requires_grad_()
    distillation = Distillation(Fixed(), (FORGOTTEN,), 1.0, TEMPERATURE)
    loss = BatchLoss(mean, 4, distillation)(images, logits, torch.zeros(5, dtype=torch.int64), torch.ones(5).bool())
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)
    assert logits.grad.abs().max() < 1e-6
