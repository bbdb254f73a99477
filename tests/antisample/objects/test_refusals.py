"""What cannot be used is refused in one message of our own, before any work."""

import datasets
import numpy as np
import pytest
import torch
from networks_in_memory import TRAINED, digits, floats, halves, small_network, trained_network
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, RandomSampler, TensorDataset

import antisample
from antisample import AntisampleError, ConfigError, DataError

LABELS = digits()[1]
TRAIN, TEST = halves(floats())


class Items(Dataset):
    def __init__(self, item, n=40):
        self.item, self.n = item, n

    def __len__(self):
        return self.n

    def __getitem__(self, position):
        return self.item(position) if callable(self.item) else self.item


class Endless(IterableDataset):
    def __iter__(self):
        yield torch.zeros(1, 8, 8), 0


class Given(nn.Module):
    """Gives what a function makes of the images."""

    def __init__(self, answer):
        super().__init__()
        self.layer, self.answer = nn.Linear(64, 10), answer

    def forward(self, images):
        return self.answer(self.layer(images.flatten(1)))


IMAGE = torch.zeros(1, 8, 8)
LOADER = DataLoader(
    TensorDataset(torch.from_numpy(TRAIN[0]), torch.from_numpy(TRAIN[1])), batch_size=50, shuffle=True
)
HOT = np.eye(10)[LABELS]


def refusal(tmp_path, model=None, train=TRAIN, test=TEST, **arguments):
    """The message, and that nothing was written."""
    given = {"classes": [3], **arguments}
    with pytest.raises(AntisampleError) as caught:
        antisample.forget(
            trained_network() if model is None else model, train, test, cache_dir=tmp_path / "cache", **given
        )
    assert not (tmp_path / "cache").exists()
    assert caught.value.__cause__ is None or not type(caught.value.__cause__).__module__.startswith("pydantic")
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Items({"image": IMAGE, "label": 1}), "train must yield pairs (image, label), but yields dictionaries with"),
        (DataLoader(Items({"image": IMAGE, "label": 1})), "train must yield pairs (image, label), but yields dict"),
        (Items((IMAGE, 1, 2)), "train must yield pairs (image, label), but yields 3 values."),
        (Items(IMAGE), "train must yield pairs (image, label), but yields Tensor."),
        (Items((IMAGE, 1.0)), "The labels of train must be whole numbers, but one is 1.0 (float)."),
        (Items((IMAGE, True)), "The labels of train must be whole numbers, but one is True (bool)."),
        (Items((IMAGE, "cat")), "The labels of train must be whole numbers, but one is 'cat' (str)."),
        (Items((IMAGE, torch.eye(10)[1])), "The labels of train must be whole numbers, but one is float32 [10]."),
        (Items((IMAGE, -1)), "The labels of train must be at least 0, but one is -1."),
        (Items((["a"], 1)), "The images of train[0] must be arrays, tensors or PIL images, but got list."),
        (Items((torch.zeros(8), 1)), "train[0] must yield images [channels, height, width], or [height, width] of"),
        (
            Items(lambda i: (torch.zeros(1, 8, 8 + i), 1)),
            "train must yield images of one shape and type, but train[0]",
        ),
        (Items(lambda i: i / 0), "train[0] cannot be read: ZeroDivisionError: division by zero."),
        (Items((IMAGE, 1), n=0), "train must hold images, but is empty."),
        (
            Endless(),
            "train must have a length, but is a data set of unknown length; read it into memory first: `train = list",
        ),
        (
            datasets.Dataset.from_dict({"image": [[[1]]], "label": [0]}).to_iterable_dataset(),
            "read it into memory first: `train = datasets.Dataset.from_list(list(train))`.",
        ),
        (DataLoader(Endless()), "unknown length; read it into memory first: `train = list(train.dataset)`."),
        ((item for item in [(IMAGE, 1)]), "train must have a length, but is a data set of unknown length"),
        ({"train": TRAIN}, "train must be one data set, but is a dictionary with the keys 'train'"),
        ("photos", "train must be images in memory, but is the path 'photos'; `antisample.unlearn` reads files."),
        (
            TRAIN[0],
            "train must be a pair (images, labels), a Dataset, a DataLoader or a Hugging Face data set, but is",
        ),
        (None, "train must be a pair (images, labels), a Dataset, a DataLoader or a Hugging Face data set, but is"),
        ((TRAIN[0], TRAIN[1][:5]), "train must have a label for each image, but has 1200 images and 5 labels."),
        ((TRAIN[0][:0], TRAIN[1][:0]), "train must hold images, but is empty."),
        ((TRAIN[0], TRAIN[1] / 1), "The labels of train must be whole numbers, but got float64."),
        ((TRAIN[0], HOT[:TRAINED]), "The labels of train must be [n], but got [1200, 10]; of one-hot rows take"),
        (
            (TRAIN[0], TRAIN[1] + 1),
            "The labels of train must be from 0 to 9, since the model has 10 outputs, but one",
        ),
        ((TRAIN[0], TRAIN[1] - 1), "The labels of train must be at least 0, but one is -1."),
        ((TRAIN[0], TRAIN[1] // 2), "train must hold images of each of the 10 classes that the model tells apart"),
        ((TRAIN[0] * np.nan, TRAIN[1]), "The images of train must be finite, but hold NaN or infinity."),
        (
            (TRAIN[0] > 0, TRAIN[1]),
            "The images of train must be whole numbers from 0 to 255 or floats, but got bool.",
        ),
        ((digits()[0][:TRAINED].astype(int) * 2, TRAIN[1]), "must be whole numbers from 0 to 255 or floats, but got"),
        ((TRAIN[0][:, 0, 0], TRAIN[1]), "The images of train must be [n, channels, height, width], or [n, height"),
        (
            (TRAIN[0][..., :7], TRAIN[1]),
            "train and test must hold images of one shape, but got [1, 8, 7] and [1, 8, 8]",
        ),
        ((digits()[0][:TRAINED], TRAIN[1]), "train and test must hold images of one type, but got uint8 and float32"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_a_data_set_that_cannot_be_used(tmp_path, data, message):
    kind, said = refusal(tmp_path, train=data)
    assert said.startswith(message) or message in said, said
    assert (kind, "\n" in said) == (DataError, False)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: small_network, "`model` must be a torch.nn.Module, but got function."),
        (lambda: nn.Linear, "`model` must be a torch.nn.Module, but got the class Linear; give an instance, not its"),
        (
            lambda: Given(lambda x: x[:, :, None]),
            "`model` must give logits [n, classes] of at least two classes, but",
        ),
        (lambda: Given(lambda x: x.argmax(1)), "`model` must give logits [n, classes] of at least two classes, but"),
        (
            lambda: Given(lambda x: x[:, :1]),
            "`model` must give logits [n, classes] of at least two classes, but gave",
        ),
        (lambda: Given(str), "`model` must give logits [n, classes], but gave str."),
        (lambda: Given(lambda x: x * torch.nan), "`model` gives non-finite outputs"),
        (
            lambda: nn.Sequential(nn.Flatten(), nn.Linear(3, 10)),
            "`model` does not accept the images of train, [2, 1,",
        ),
        (lambda: trained_network().double(), "`model` must have weights in float32, but has some in float64"),
        (lambda: small_network().to("meta"), "`model` has a weight on the meta device, '0.weight', which has no"),
        (
            lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(10)),
            "`model` has a lazy layer that has seen no image, so",
        ),
        (lambda: torch.jit.trace(small_network(), torch.zeros(2, 1, 8, 8)), "`model` is a TorchScript module, which"),
        (lambda: Given(lambda x: 0 * x), "The original model knows nothing about this data"),
        (lambda: trained_network().requires_grad_(requires_grad=False), "`model` only has frozen parameters"),
        (lambda: nn.Sequential(trained_network(), nn.Dropout2d()), None),
    ],
)
def test_a_model_that_cannot_be_used(tmp_path, model, message):
    if message is None:
        antisample.forget(
            model(), TRAIN, TEST, classes=[3], method="mask", cache_dir=tmp_path, evaluation={"final": []}
        )
        return
    kind, said = refusal(tmp_path, model())
    assert said.startswith(message), said
    assert "model.name" not in said
    assert "--" not in said
    assert kind is ConfigError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": [1]}, "Either `classes` or `samples` must be given, but got both."),
        ({"classes": None}, "Either `classes` or `samples` must be given, but got neither."),
        ({"classes": [10]}, "`classes` must be class names, and some of these are numbers"),
        ({"classes": []}, "`classes` must name at least one class."),
        ({"classes": [1.5]}, "`classes` must be class names or labels, but got 1.5 (float)"),
        ({"classes": list(range(10))}, "`classes` must leave at least one class, but got all 10."),
        ({"classes": None, "samples": []}, "`samples` must have at least 1 value, but got []."),
        ({"classes": None, "samples": [5000]}, "`samples` must be positions in the training split, from 0 to 1199"),
        (
            {"classes": None, "samples": ["a.png"]},
            "`samples` must be positions in `train`, from 0, but got ['a.png'].",
        ),
        (
            {"classes": None, "samples": "ids.txt"},
            "`samples` must be positions in `train`, from 0, but got 'ids.txt'.",
        ),
        ({"classes": None, "samples": [-1]}, "`samples` must be positions of at least 0, but got -1."),
        ({"classes": None, "samples": [1.5]}, "`samples` must be positions, but got 1.5 (float)."),
        ({"classes": None, "samples": TRAIN[1] == 3}, "`samples` must be positions, but got False (bool)."),
        ({"method": "antisampel"}, "`method` must be one of"),
        ({"method": 3}, "`method` must be the name of a method, but got 3."),
        (
            {"epoch": 3},
            "`epoch` is neither an argument nor a hyperparameter of the method 'antisample'. Did you mean",
        ),
        (
            {"clases": 3},
            "`clases` is neither an argument nor a hyperparameter of the method 'antisample'. Did you mean",
        ),
        ({"epochs": 0}, "`epochs` must be greater than or equal to 1, but got 0."),
        ({"epochs": "many"}, "`epochs` must be a whole number, but got 'many'."),
        ({"seed": -1}, "`seed` must be greater than or equal to 0, but got -1."),
        ({"device": "gpu"}, "`device` must be "),
        ({"precision": "half"}, "`precision` must be "),
        ({"evaluation": {"final": ["prob"]}}, "`evaluation.final`: families must be among"),
        ({"normalisation": "0..1"}, "`normalisation` is for images of whole numbers, but got images of floats"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_an_argument_that_cannot_be_used(tmp_path, arguments, message):
    kind, said = refusal(tmp_path, **arguments)
    assert message in said
    assert "forget." not in said
    assert kind is ConfigError


@pytest.mark.parametrize(
    ("normalisation", "message"),
    [
        ("0-1", "`normalisation` must be one of 0..1, data, imagenet, -1..1, 0..255, or a pair (mean, std), but got"),
        (
            (0.5,),
            "`normalisation` must be one of 0..1, data, imagenet, -1..1, 0..255, or a pair (mean, std), but got",
        ),
        (
            ([0.5] * 3, [0.5] * 3),
            "`normalisation` must have a value for each of the 1 channels of the images, but got",
        ),
        (([0.5], [0.0]), "`normalisation`: `std` must be from"),
    ],
)
def test_a_normalisation_that_cannot_be_used(tmp_path, normalisation, message):
    kind, said = refusal(tmp_path, None, *halves(digits()[0]), normalisation=normalisation)
    assert said.startswith(message), said
    assert kind is ConfigError


@pytest.mark.parametrize("sampler", [None, RandomSampler(LOADER.dataset, replacement=True)])
def test_a_loader_that_shuffles_cannot_say_which_samples_are_meant(tmp_path, sampler):
    loader = LOADER if sampler is None else DataLoader(LOADER.dataset, sampler=sampler)
    kind, said = refusal(tmp_path, train=loader, classes=None, samples=[1, 2])
    assert said.startswith("train must have a fixed order if `samples` are to be forgotten, but is a DataLoader that")
    assert kind is DataError


def test_channels_that_come_last_are_pointed_out(tmp_path):
    _, said = refusal(tmp_path, None, *halves(floats().transpose(0, 2, 3, 1)))
    assert said.endswith("If the channels come last, give `images.transpose(0, 3, 1, 2)`.")


@pytest.mark.gpu
def test_a_model_on_a_gpu_comes_back_on_it(tmp_path):
    net = trained_network().cuda()
    result = antisample.forget(net, TRAIN, TEST, classes=[3], method="finetune", cache_dir=tmp_path)
    assert next(result.model.parameters()).is_cuda
    assert next(net.parameters()).is_cuda
