import pytest
import torch

from antisample.data.loader import Normaliser, TrainingData
from antisample.training.augmentation import FlipShift
from antisample.types import Preprocessing


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def candidates(image, reach, *, flip):
    """Every result that is allowed, by slicing a padded image."""
    height, width = image.shape[1:]
    for mirrored in (image, image.flip(-1)) if flip else (image,):
        padded = torch.nn.functional.pad(mirrored, (reach,) * 4)
        for row in range(2 * reach + 1):
            for column in range(2 * reach + 1):
                yield padded[:, row : row + height, column : column + width]


@pytest.mark.parametrize("flip", [False, True])
def test_every_image_is_shifted_by_itself_and_uncovered_pixels_are_zero(flip):
    images = torch.rand(200, 2, 5, 4) + 1
    augmented = FlipShift(2, flip=flip)(images, generator())
    drawn = []
    for image, result in zip(images, augmented, strict=True):
        allowed = list(candidates(image, 2, flip=flip))
        matches = [i for i, each in enumerate(allowed) if torch.equal(each, result)]
        assert matches
        drawn.append(matches[0])
    assert len(set(drawn)) > (40 if flip else 22)  # of 50 and 25


def test_half_of_the_images_are_mirrored():
    images = torch.arange(4.0).expand(2000, 1, 3, 4) + 1
    augmented = FlipShift(1, flip=True)(images, generator())
    rises = augmented[:, 0, 1, 2] > augmented[:, 0, 1, 1]
    assert 0.45 < rises.float().mean() < 0.55


def test_the_same_draws_give_the_same_images():
    images = torch.rand(20, 3, 8, 8)
    augment = FlipShift(3, flip=True)
    assert torch.equal(augment(images, generator(1)), augment(images, generator(1)))
    assert not torch.equal(augment(images, generator(1)), augment(images, generator(2)))


def test_only_retain_images_are_augmented():
    pixels = torch.randint(0, 256, (30, 1, 8, 8), dtype=torch.uint8)
    normalise = Normaliser(Preprocessing((0.5,), (0.25,)), torch.device("cpu"))
    extra = torch.randn(10, 1, 8, 8)
    labels, more = torch.zeros(30, dtype=torch.int64), torch.ones(10, dtype=torch.int64)
    data = TrainingData(pixels, labels, normalise, extra, more, n_retain=20)
    positions = torch.tensor([0, 19, 20, 29, 30, 39])
    images, _ = data.at(positions, lambda batch: batch + 100)
    plain, _ = data.at(positions)
    assert torch.equal(images[2:], plain[2:])
    assert torch.equal(images[:2], plain[:2] + 100)
    assert data.is_retain(positions).tolist() == [True, True, False, False, False, False]
