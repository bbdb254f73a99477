"""What data sets yield: the same again or not, and floats that are pixels."""

import datasets
import numpy as np
import pytest
import torch
from networks_in_memory import TRAINED, digits, floats, halves, trained_network
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

import antisample
from antisample.objects.dataset import read_objects
from antisample.objects.levels import pixel_levels, to_pixels, unchanged
from antisample.objects.reading import read_images


class Augmented(Dataset):
    """Digits that are turned at random whenever they are read."""

    def __init__(self, part):
        pixels, labels = digits()
        self.pixels, self.labels, self.reads = pixels[part, 0], labels[part], 0
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.RandomRotation(20)])

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, position):
        self.reads += 1
        return self.transform(self.pixels[position]), int(self.labels[position])


def test_a_data_set_that_yields_others_each_time_is_kept_once_and_that_is_said(tmp_path):
    train, test = Augmented(slice(0, TRAINED)), halves(floats())[1]
    with pytest.warns(UserWarning, match=r"train yields other images each time .* It was read once.*objects"):
        result = antisample.forget(
            trained_network(),
            train,
            test,
            classes=[3],
            method="finetune",
            epochs=1,
            cache_dir=tmp_path,
            evaluation={"final": []},
        )
    (file,) = (tmp_path / "objects").iterdir()
    kept = np.load(file)
    assert kept.shape == (TRAINED, 1, 8, 8)
    assert file.name in result.card().data.notes[0]
    assert TRAINED < train.reads <= TRAINED + 2 * 64
    with pytest.warns(UserWarning, match="train yields other images"):
        again = read_objects(Augmented(slice(0, TRAINED)), test, None, tmp_path)
    assert again.dataset(10).fingerprint == result.card().data.fingerprint
    assert len(list((tmp_path / "objects").iterdir())) == 1


def test_a_loader_that_mixes_images_is_recognised(tmp_path):
    def mixed(batch):
        images = torch.stack([image for image, _ in batch])
        return images + 0.01 * torch.rand(1), torch.tensor([label for _, label in batch])

    pairs = [(torch.from_numpy(image), int(label)) for image, label in zip(*halves(floats())[0], strict=True)]
    assert not read_images(DataLoader(pairs, 32, collate_fn=mixed), "train").yields_the_same
    assert read_images(DataLoader(pairs, 32, shuffle=True), "train").yields_the_same


def test_reading_draws_nothing_from_the_callers_generators():
    before = torch.get_rng_state()
    read_images(Augmented(slice(0, 100)), "train")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 3), ("P", 3)])
def test_pictures_become_pixels(mode, channels):
    pictures = [Image.new(mode, (6, 4)), Image.new(mode, (6, 4), 1)]
    features = datasets.Features(image=datasets.Image(), label=datasets.Value("int64"))
    files = datasets.Dataset.from_dict({"image": pictures, "label": [0, 1]}, features=features)
    for data in (list(zip(pictures, (0, 1), strict=True)), files):
        read = read_images(data, "train")
        assert (read.images.shape, read.images.dtype) == ((2, channels, 4, 6), np.uint8)


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((0.0,), (1.0,)),
        ((0.1307,), (0.3081,)),
        ((0.5,) * 3, (0.5,) * 3),
        ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ],
)
def test_normalised_pixels_are_found_again(mean, std):
    pixels = np.random.default_rng(0).integers(0, 256, (50, len(mean), 8, 6)).astype(np.uint8)
    pixels.reshape(50, len(mean), -1)[0, :, :2] = [0, 255]
    normalise = transforms.Normalize(mean, std)
    images = normalise(torch.from_numpy(pixels).float() / 255).numpy()
    levels = pixel_levels([images])
    assert levels is not None
    assert (levels.mean, levels.std) == (mean, std)
    np.testing.assert_array_equal(to_pixels(images, levels), pixels)
    images[3, 0, 1, 1] += 1e-3
    assert pixel_levels([images]) is None


def test_other_floats_are_given_to_the_model_as_they_are(tmp_path):
    images = np.random.default_rng(0).normal(size=(20, 2, 3, 5)).astype(np.float32)
    data = read_objects((images, np.arange(20) % 2), (images, np.arange(20) % 2), None, tmp_path)
    assert data.preprocessing == unchanged(2)
    assert data.train.images is images
    from antisample.data.loader import Normaliser  # noqa: PLC0415

    normalise = Normaliser(unchanged(2), torch.device("cpu"))
    torch.testing.assert_close(normalise(torch.from_numpy(images)), torch.from_numpy(images), rtol=1e-6, atol=0)
