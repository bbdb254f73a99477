"""A model of the user's own, given by flags alone."""

import json

import pytest
import torch

from antisample.models import build_model
from tuning import cli

NETWORKS = '''
import torch
from torch import nn


class Tied(nn.Module):
    """A transformer block, a recurrent layer and a weight under two names."""

    def __init__(self, num_classes):
        super().__init__()
        self.embed = nn.Linear(8, 16)
        self.attend = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.recur = nn.GRU(16, 16, batch_first=True)
        self.first = nn.Linear(16, 16)
        self.second = nn.Linear(16, 16)
        self.second.weight = self.first.weight
        self.head = nn.Linear(16, num_classes)
        self.register_buffer("seen", torch.tensor(0))

    def forward(self, images):
        tokens = self.attend(self.embed(images.squeeze(1)))
        states, _ = self.recur(tokens)
        return self.head(self.second(self.first(states[:, -1]).relu()))


def wide(n_classes=10, in_channels=1):
    return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_channels, n_classes))


def deep(depth, num_classes):
    layers = [layer for _ in range(depth) for layer in (nn.Linear(64, 64), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(64, num_classes))


def fixed():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def seven(n_classes, in_channels):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 7))


def colour(n_classes, in_channels):
    return nn.Conv2d(3, n_classes, 8)


def greedy(depth, width, height):
    return nn.Identity()


def nothing(n_classes, in_channels):
    return "a network"
'''


@pytest.fixture
def networks(tmp_path, monkeypatch):
    (tmp_path / "own_networks.py").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["Tied", "wide", "fixed"])
def test_builders_of_every_kind_are_called_with_what_they_take(networks, name):
    model = build_model(f"own_networks:{name}", 10, 1)
    assert model(torch.zeros(3, 1, 8, 8)).shape == (3, 10)


def unlearn(call, cache_dir, name, *arguments):
    recipe = ["--set", "model.recipe.epochs=8", "--set", "model.recipe.batch_size=64", "--set", "method.epochs=1"]
    common = ["--data", "digits", "--set", f"data.cache_dir={cache_dir}", *recipe, "--out", "out"]
    return call("unlearn", "--model", f"own_networks:{name}", *common, *arguments)


def test_a_network_with_attention_recurrence_and_tied_weights_is_trained_unlearned_and_verified(
    call, networks, cache_dir
):
    code, out, err = unlearn(call, cache_dir, "Tied", "--forget", "3", "--json")
    assert code == 0, err
    card = json.loads(out)
    assert card["environment"]["not_deterministic"] == []
    code, _, err = call("verify", "out/card.json", "--json")
    assert code == 0, err


def test_arguments_of_the_builder_are_said_and_belong_to_the_card(call, networks, cache_dir):
    asked = ["--forget", "3", "--set", "model.arguments.depth=2", "--set", "evaluation.final=[zrf, retrained]"]
    code, out, err = unlearn(call, cache_dir, "deep", *asked, "--json")
    assert code == 0, err
    card = json.loads(out)
    assert card["config"]["model"]["arguments"] == {"depth": 2}
    assert "The network was built by own_networks:deep(depth=2, num_classes=10)." in card["original"]["notes"]
    assert "built by own_networks:deep(depth=2, num_classes=10)" in err
    code, _, err = call("verify", "out/card.json", "--json")
    assert code == 0, err
    code, _, err = unlearn(call, cache_dir, "deep", "--forget", "3")
    assert (code, "needs `depth`, which must be given in `model.arguments`" in err) == (2, True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("seven", "must return logits [n, classes], here [2, 10], for the images of digits, but returned [2, 7]"),
        ("colour", "does not accept the images of digits, [2, 1, 8, 8]"),
        ("greedy", "its signature is greedy(depth, width, height)"),
        ("nothing", "must build a torch.nn.Module, but got str"),
        ("missing", "cannot be imported"),
    ],
)
def test_what_is_no_classifier_of_these_images_is_refused(call, networks, cache_dir, name, message):
    code, out, err = unlearn(call, cache_dir, name, "--forget", "3")
    assert code == 2
    assert message in err
    assert "Traceback" not in out + err
    assert not (networks / "out").exists()


def test_the_normalisation_of_a_flag_wins_over_the_checkpoints(call, networks, cache_dir):
    code, _, err = unlearn(call, cache_dir, "fixed", "--forget", "3")
    assert code == 0, err
    given = ["--checkpoint", "out/model.safetensors", "--forget", "4", "--json"]
    by_file = json.loads(unlearn(call, cache_dir, "fixed", *given)[1])
    assert by_file["original"]["mean"] == pytest.approx([0.305], abs=0.01)
    by_flag = json.loads(unlearn(call, cache_dir, "fixed", *given, "--normalisation", "0.5/0.25")[1])
    assert (by_flag["original"]["mean"], by_flag["original"]["std"]) == ([0.5], [0.25])
    code, _, err = unlearn(call, cache_dir, "fixed", *given, "--normalisation", "0.5")
    assert (code, "`--normalisation` must be one of" in err) == (2, True)


@pytest.fixture
def asked(monkeypatch):
    """The configuration that `run` would search."""
    found = []
    monkeypatch.setattr("tuning.cli.commands.studies._search", lambda config, *_: found.append(config))
    return found


def test_flags_make_a_study_with_a_name(call, networks, asked):
    flags = ["--model", "own_networks:wide", "--checkpoint", "m.safetensors", "--data", "./my images"]
    call("run", *flags, "--forget", "black cat", "--normalisation", "0.5/0.25", "--set", "n_trials=3")
    (config,) = asked
    assert config.name == "wide-my-images-forget-black-cat"
    assert config.forget[0].classes == ("black cat",)
    assert (str(config.model.checkpoint), config.model.mean, config.n_trials) == ("m.safetensors", (0.5,), 3)
    (networks / "ids.txt").write_text("1 2 3")
    call("run", "--model", "SmallCNN", "--data", "digits", "--forget-samples", "ids.txt", "--set", "name=mine")
    assert asked[1].forget[0].samples == (1, 2, 3)
    assert (asked[1].name, asked[1].by_samples) == ("mine", True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "`--model` is required without STUDY.yaml"),
        (
            ["--model", "SmallCNN", "--data", "digits"],
            "`--forget` is required without STUDY.yaml or `--forget-samples`",
        ),
        (["study.yaml", "--forget", "3"], "`--forget` cannot be used with it; use `--set`"),
        (
            ["--model", "SmallCNN", "--data", "digits", "--forget", "3", "--forget-samples", "x"],
            "`--forget` and `--forget-samples` are different requests, so they cannot be used together.",
        ),
        (
            ["--model", "SmallCNN", "--data", "digits", "--forget-samples", "x"],
            "x: the file of sample ids does not exist",
        ),
    ],
)
def test_flags_that_make_no_study_are_refused(call, networks, arguments, message):
    code, out, err = call("run", *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in out + err
    assert not (networks / "runs").exists()


def test_the_folder_one_stands_in_comes_last_among_those_that_models_are_imported_from(call, networks):
    call("spaces")
    assert cli.sys.path[-1] == str(networks)
