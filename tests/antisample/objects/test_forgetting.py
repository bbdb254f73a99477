"""`antisample.forget`: objects in, a model that has forgotten out, and the objects as they were."""

import copy
import hashlib
import json

import numpy as np
import pytest
import torch
from datasets import Array3D, ClassLabel, Features
from datasets import Dataset as Columns
from networks_in_memory import TRAINED, digits, floats, halves, trained_network
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision import transforms

import antisample
from antisample import ConfigError, DataError
from antisample.checkpoints.checkpoint import Checkpoint, save_checkpoint
from antisample.export.card_file import read_card
from antisample.export.verification.verify import verify_card
from antisample.models import build_model
from antisample.seeds import undisturbed

QUICK = {"method": "finetune", "epochs": 1, "evaluation": {"final": ["mask"]}}


def digest(model):
    """Of everything that a caller can see of a model: weights, mode, device, gradients."""
    result = hashlib.sha256(repr([module.training for module in model.modules()]).encode())
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        result.update(f"{name} {tensor.device} {tensor.requires_grad}".encode())
        result.update(tensor.detach().numpy().tobytes())
        result.update(b"" if tensor.grad is None else tensor.grad.numpy().tobytes())
    return result.hexdigest()


def random_states():
    return torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes()  # noqa: NPY002


@pytest.fixture
def forget(tmp_path):
    def run(model, train, test, **arguments):
        given = {name: value for name, value in {**QUICK, **arguments}.items() if value is not None}
        return antisample.forget(model, train, test, cache_dir=tmp_path / "cache", **given)

    return run


def test_six_lines_make_a_sequential_forget_a_class(tmp_path):
    train, test = halves(floats())
    net = trained_network()
    result = antisample.forget(net, train, test, classes=[3], unlearn_scale_lr=8.0, cache_dir=tmp_path)
    assert result.metrics["test/forget_accuracy"] < 0.1
    assert result.metrics["test/retain_accuracy"] > 0.8
    answers = result.model(torch.from_numpy(test[0])).argmax(1).numpy()
    assert (answers == test[1])[test[1] == 3].mean() < 0.1
    assert type(result.model) is nn.Sequential


@pytest.mark.parametrize("training", [True, False])
def test_the_callers_objects_stay_as_they_are(forget, training):
    net = trained_network().train(training)
    net[0].weight.requires_grad_(requires_grad=False)
    net(torch.from_numpy(floats()[:8])).sum().backward()
    train, test = halves(floats().copy())
    before = digest(net), random_states(), train[0].tobytes()
    result = forget(net, train, test, classes=[3], epochs=2)
    assert (digest(net), random_states(), train[0].tobytes()) == before
    assert result.model is not net
    assert not result.model.training
    assert digest(result.model) != before[0]


def test_however_the_same_images_are_handed_over_the_figures_are_the_same(forget):
    net = trained_network()
    pixels, labels = digits()
    tensors = torch.from_numpy(floats()), torch.from_numpy(labels)
    sets = TensorDataset(*(each[:TRAINED] for each in tensors)), TensorDataset(*(each[TRAINED:] for each in tensors))
    ways = {
        "arrays": (halves(floats()), {}),
        "doubles": (halves(floats().astype(np.float64)), {}),
        "tensors": (halves(tensors[0]), {}),
        "pixels": (halves(pixels), {"normalisation": "0..1"}),
        "whole numbers": (halves(pixels.astype(np.int64)), {"normalisation": ([0.0], [1.0])}),
        "grey": (halves(floats()[:, 0]), {}),
        "datasets": (sets, {}),
        "loaders": ([DataLoader(each, batch_size=100) for each in sets], {}),
        "shuffled": ([DataLoader(each, batch_size=100, shuffle=True) for each in sets], {}),
        "lists": ([[(image, int(label)) for image, label in each] for each in sets], {}),
        "columns": ([columns(each) for each in sets], {}),
    }
    measured = {way: forget(net, *data, classes=[3], **more).metrics for way, (data, more) in ways.items()}
    assert [way for way in ways if measured[way] != measured["arrays"]] == []


def columns(pairs):
    """A Hugging Face data set."""
    images, labels = zip(*pairs, strict=True)
    features = Features(
        image=Array3D((1, 8, 8), "float32"), label=ClassLabel(names=[f"digit {label}" for label in range(10)])
    )
    data = {"image": [np.asarray(image) for image in images], "label": [int(label) for label in labels]}
    return Columns.from_dict(data, features=features).with_format("numpy")


def test_class_names_come_with_the_data_or_are_given(forget):
    net, (train, test) = trained_network(), halves(floats())
    named = [columns(zip(*each, strict=True)) for each in (train, test)]
    assert forget(net, *named, classes=["digit 3"]).card().request.classes == ("digit 3",)
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert forget(net, train, test, classes=["three"], class_names=names).card().request.labels == (3,)
    with pytest.raises(ConfigError, match=r"`classes` must be class names, .*'thre'; did you mean 'three'"):
        forget(net, train, test, classes=["thre"], class_names=names)
    with pytest.raises(DataError, match="a class name for each of the 10 outputs of the model, but got 2"):
        forget(net, train, test, classes=[0], class_names=["a", "b"])


def test_single_images_are_forgotten(forget):
    train, test = halves(floats())
    result = forget(
        trained_network(), train, test, samples=np.arange(0, 100, 2), method="antisample", evaluation=None
    )
    card = result.card()
    assert card.request.images == 50
    assert "test/mask_drop" not in result.metrics


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_images_may_have_any_channels_and_sides(forget, channels):
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 4
    images = (
        rng.normal(size=(120, channels, 6, 10)).astype(np.float32)
        + 3 * labels.astype(np.float32)[:, None, None, None]
    )
    net = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 4 * 8, 4))
    data = (images[:80], labels[:80]), (images[80:], labels[80:])
    result = forget(net, *data, classes=[1], accept_original=True, method="antisample", tail_randomized=2)
    assert result.model(torch.from_numpy(images[:3])).shape == (3, 4)
    assert result.card().original.std == (1 / 255,) * channels


def test_transforms_belong_to_the_data_set_and_figures_equal_those_of_the_files(tmp_path, write_parquet):
    """The same images through ToTensor and Normalize, and through Parquet with that normalisation."""
    pixels, labels = digits()
    mean, std = (0.1307,), (0.3081,)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])

    class Pictures(torch.utils.data.Dataset):
        def __init__(self, part):
            self.part = part

        def __len__(self):
            return len(labels[self.part])

        def __getitem__(self, position):
            return transform(pixels[self.part][position, 0]), int(labels[self.part][position])

    with undisturbed(torch.device("cpu"), 0):
        net = build_model("SmallCNN", 10, 1, image_size=(8, 8))
    train, test = Pictures(slice(0, TRAINED)), Pictures(slice(TRAINED, None))
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    images = torch.stack([image for image, _ in train])
    for _ in range(6):
        for some in torch.arange(TRAINED).split(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(images[some]), torch.from_numpy(labels[some])).backward()
            optimizer.step()
    net.eval()
    save_checkpoint(tmp_path / "net.safetensors", Checkpoint(dict(net.state_dict())))
    write_parquet(tmp_path / "digits" / "train-00000-of-00001.parquet", pixels[:TRAINED, 0], labels[:TRAINED])
    write_parquet(tmp_path / "digits" / "test-00000-of-00001.parquet", pixels[TRAINED:, 0], labels[TRAINED:])
    evaluation = {"final": ["membership", "mask"]}
    result = antisample.forget(
        net, train, test, classes=[3], epochs=2, evaluation=evaluation, cache_dir=tmp_path / "one"
    )
    config = antisample.UnlearnConfig.parse(
        {
            "data": {"source": str(tmp_path / "digits"), "cache_dir": tmp_path / "other"},
            "model": {"name": "SmallCNN", "checkpoint": tmp_path / "net.safetensors", "mean": mean, "std": std},
            "forget": {"classes": [3]},
            "method": {"name": "antisample", "epochs": 2},
            "evaluation": evaluation,
        }
    )
    *_, last = antisample.unlearn(config)
    assert result.metrics == last.metrics.values
    assert (result.card().original.mean, result.card().original.std) == (mean, std)


class TestResult:
    @pytest.fixture(scope="class")
    def result(self, tmp_path_factory):
        data = halves(floats())
        return antisample.forget(
            trained_network(), *data, classes=[3], cache_dir=tmp_path_factory.mktemp("c"), **QUICK
        )

    def test_what_is_saved_is_the_model_and_its_card(self, result, tmp_path):
        card = result.save(tmp_path / "out")
        loaded = read_card(tmp_path / "out" / "card.json")
        assert loaded.fingerprint == card.fingerprint == result.card().fingerprint
        assert loaded.files == result.card().files
        net = trained_network()
        net.load_state_dict(load_file(tmp_path / "out" / "model.safetensors"))
        images = torch.from_numpy(floats()[:9])
        torch.testing.assert_close(net.eval()(images), result.model(images))
        text = (tmp_path / "out" / "card.md").read_text()
        assert "antisample.forget(model, train, test, classes=['3'], method='finetune'" in text
        assert "objects in memory" in text

    def test_a_card_of_objects_cannot_be_verified_from_files_and_says_so(self, result, tmp_path):
        result.save(tmp_path)
        with pytest.raises(DataError, match="made of a model and data in memory"):
            verify_card(read_card(tmp_path / "card.json"), tmp_path)

    def test_it_shows_itself_in_a_notebook(self, result):
        shown = result._repr_html_()
        assert shown.count("<tr>") == len(result.metrics) + 1
        assert "test/forget_accuracy" in shown
        assert repr(result).startswith("<ForgetResult: test forget accuracy ")

    def test_its_figures_are_a_table_and_a_plot(self, result):
        frame = result.to_dataframe()
        assert frame.loc["test/retain_accuracy", "unlearned"] == result.metrics["test/retain_accuracy"]
        assert list(frame.columns) == ["images", "original", "unlearned", "mask", "untrained"]
        (axis,) = result.plot().axes
        assert [label.get_text() for label in axis.get_xticklabels()] == [
            "original",
            "unlearned",
            "mask",
            "untrained",
        ]
        assert axis.patches[1].get_height() == result.metrics["test/forget_accuracy"]

    def test_the_same_call_gives_the_same_weights(self, result, tmp_path):
        again = antisample.forget(trained_network(), *halves(floats()), classes=[3], cache_dir=tmp_path, **QUICK)
        assert again.card().fingerprint == result.card().fingerprint
        assert (
            json.loads(again.card().model_dump_json())["metrics"]
            == json.loads(result.card().model_dump_json())["metrics"]
        )


def test_a_mask_is_part_of_the_model_that_comes_back(forget):
    result = forget(trained_network(), *halves(floats()), classes=[3], method="mask", epochs=None)
    answers = result.model(torch.from_numpy(floats()[:50]))
    assert (answers.argmax(1) != 3).all()


def test_stages_may_be_named_and_are_looked_for_otherwise(forget):
    data, evaluation = halves(floats()), {"final": ["probe"]}
    assert "test/probe_left" in forget(trained_network(), *data, classes=[3], evaluation=evaluation).metrics
    with pytest.raises(ConfigError, match=r"`stages` must name modules of `model`, but 'conv' is none of them"):
        forget(trained_network(), *data, classes=[3], stages=["conv"])
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with pytest.raises(ConfigError, match=r"`model` has no stages: .* Name modules in `stages`"):
        forget(flat, *data, classes=[3], evaluation=evaluation, accept_original=True)
    result = forget(flat, *data, classes=[3], evaluation=None, accept_original=True)
    assert any("`model` has no stages" in note for note in result.notes)


def test_retraining_starts_from_fresh_weights(forget):
    net = trained_network()
    result = forget(net, *halves(floats()), classes=[3], method="retrain", epochs=2)
    assert result.metrics["test/forget_accuracy"] == 0
    assert not torch.equal(result.model[4].weight, net[4].weight)


def test_logits_are_found_among_several_outputs_and_the_model_keeps_its_own(forget):
    class Several(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = trained_network()

        def forward(self, images):
            logits = self.inner(images)
            return {"logits": logits, "other": logits * 0}

    result = forget(Several(), *halves(floats()), classes=[3])
    assert set(result.model(torch.from_numpy(floats()[:2]))) == {"logits", "other"}


def test_copies_of_frozen_and_tied_weights_stay_so(forget):
    net = trained_network()
    net[0].requires_grad_(requires_grad=False)
    before = copy.deepcopy(net[0].state_dict())
    result = forget(net, *halves(floats()), classes=[3])
    assert torch.equal(result.model[0].weight, before["weight"])
    assert not result.model[0].weight.requires_grad
