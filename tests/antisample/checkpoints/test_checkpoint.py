import os
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from antisample.checkpoints.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from antisample.config import UnlearnConfig
from antisample.errors import ConfigError, DataError
from antisample.models import build_model
from antisample.types import Preprocessing


def test_safetensors_round_trip(tmp_path):
    model = build_model("SmallCNN", 3, 1)
    path = tmp_path / "new" / "model.safetensors"
    save_checkpoint(path, Checkpoint(dict(model.state_dict()), {"mean": "[0.5]", "std": "[0.25]"}))
    loaded = load_checkpoint(path)
    assert loaded.preprocessing() == Preprocessing((0.5,), (0.25,))
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict[name], tensor)
    assert [entry.name for entry in path.parent.iterdir()] == ["model.safetensors"]


def test_the_same_content_gives_the_same_file_whatever_the_order(tmp_path):
    weights = dict(build_model("SmallCNN", 3, 1).state_dict())
    notes = {f"note {i}": f'"{i}" ü \\ \n \t \x01' for i in range(20)}
    save_checkpoint(tmp_path / "a.safetensors", Checkpoint(weights, notes))
    save_checkpoint(tmp_path / "b.safetensors", Checkpoint(weights, dict(reversed(notes.items()))))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert load_checkpoint(tmp_path / "b.safetensors").metadata == notes


def test_a_weight_under_two_names_is_written_under_both(tmp_path):
    tied = torch.ones(2, 2)
    save_checkpoint(tmp_path / "tied.safetensors", Checkpoint({"a": tied, "b": tied}))
    found = load_checkpoint(tmp_path / "tied.safetensors").state_dict
    assert torch.equal(found["a"], tied)
    assert torch.equal(found["b"], tied)


@pytest.mark.parametrize("wrapped", [False, True])
def test_torch_files_load_plain_or_in_the_published_layout(tmp_path, wrapped):
    model = build_model("SmallCNN", 3, 1)
    content = model.state_dict()
    if wrapped:
        content = {
            "state_dict": content,
            "optimizer": torch.optim.Adam(model.parameters()).state_dict(),
            "train_loss": np.linspace(0, 1, 5),
            "epochs": np.arange(3),
            "best": np.float64(0.5),
        }
    torch.save(content, tmp_path / "model.pt")
    loaded = load_checkpoint(tmp_path / "model.pt")
    assert list(loaded.state_dict) == list(model.state_dict())


class _Trap:
    def __reduce__(self):
        return (os.mkdir, (os.environ["TRAP_FOLDER"],))


def test_a_file_that_would_execute_code_is_refused_and_does_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAP_FOLDER", str(tmp_path / "sprung"))
    torch.save({"state_dict": _Trap()}, tmp_path / "trap.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(_Trap()))
    for name in ("trap.pt", "plain.pt"):
        with pytest.raises(DataError, match=rf"{name}: refused, since reading it would execute code"):
            load_checkpoint(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
@pytest.mark.parametrize(
    "content", [b"", b"not weights", b"epoch,loss\n1,2\n", b"hello", b"sample", b"\x80\x00\x00\x00\x00\x00\x00\x00{"]
)
def test_damaged_files_are_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        load_checkpoint(tmp_path / name)


def test_a_truncated_checkpoint_is_refused(tmp_path):
    save_checkpoint(tmp_path / "a.safetensors", Checkpoint(dict(build_model("SmallCNN", 3, 1).state_dict())))
    whole = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"a.safetensors: not a readable"):
        load_checkpoint(tmp_path / "a.safetensors")


def test_one_flipped_bit_of_our_own_file_is_noticed(tmp_path):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, Checkpoint({"weight": torch.arange(100.0)}, {"model": "x"}))
    assert load_checkpoint(path).metadata == {"model": "x"}
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="the weights differ from those that were written"):
        load_checkpoint(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone.pt: the checkpoint does not exist"):
        load_checkpoint(tmp_path / "gone.pt")


def test_a_file_without_weights_is_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "no.pt")
    with pytest.raises(DataError, match="holds no state dict"):
        load_checkpoint(tmp_path / "no.pt")


def test_another_architecture_is_explained():
    weights = build_model("ResNet9", 10, 1).state_dict()
    with pytest.raises(DataError, match=r"x.pt: the checkpoint has a different architecture from SmallCNN: it lacks"):
        load_weights(build_model("SmallCNN", 10, 1), weights, "x.pt")
    with pytest.raises(DataError, match=r"'weight' of shape \[2, 4\] where the model has \[3, 4\]"):
        load_weights(nn.Linear(4, 3), nn.Linear(4, 2).state_dict(), "x.pt")


BAD_PAIRS = [
    (
        "[0.5]",
        "[0]",
        "`std` in the metadata of the checkpoint must be from 1e-08 to 1, of pixels scaled to [0, 1], but",
    ),
    ("[0.5]", "[-0.2]", "`std` in the metadata of the checkpoint must be from 1e-08 to 1"),
    ("[0.5]", "[1e-60]", "`std` in the metadata of the checkpoint must be from 1e-08 to 1"),
    ("[NaN]", "[0.2]", "`mean` in the metadata of the checkpoint must be from 0 to 1"),
    ("[0.5]", "[NaN]", "`std` in the metadata"),
    ("[Infinity]", "[0.2]", "`mean` in the metadata"),
    ("[-0.4]", "[0.2]", "`mean` in the metadata"),
    ("[1e400]", "[0.2]", "`mean` in the metadata"),
    ("[" + "9" * 400 + "]", "[0.2]", "`mean` in the metadata"),
    ("[true]", "[0.2]", "must be a list of numbers as JSON, but got '[true]'"),
    ("[[0.5]]", "[0.2]", "must be a list of numbers as JSON, but got '[[0.5]]'"),
    ('["0.5"]', "[0.2]", "must be a list of numbers as JSON"),
    ("{}", "[0.2]", "must be a list of numbers as JSON"),
    ("[" * 100_000, "[0.2]", "must be a list of numbers as JSON"),
    ("[]", "[]", "must be a list of numbers, one for each channel"),
    ("[0.5, 0.5, 0.5]", "[0.2]", "with one value a channel, but got 3 and 1"),
    ("[123.7, 116.3, 103.5]", "[58.4, 57.1, 57.4]", "divide by 255: 0.4851, 0.4561, 0.4059"),
    ("[0.5]", "[58.4]", "but got [58.4]; if that is of pixels from 0 to 255, divide by 255: 0.229"),
    (None, "[0.2]", "`mean` and `std` in the metadata of the checkpoint must be given together"),
    ("[0.5]", None, "`mean` and `std` in the metadata of the checkpoint must be given together"),
]


@pytest.mark.parametrize(("mean", "std", "message"), BAD_PAIRS)
def test_mean_and_std_of_a_file_obey_the_rule_of_flags(mean, std, message):
    metadata = {name: text for name, text in (("mean", mean), ("std", std)) if text is not None}
    with pytest.raises(DataError) as refused:
        Checkpoint({}, metadata).preprocessing("x.safetensors")
    assert str(refused.value).startswith("x.safetensors: ")
    assert message in str(refused.value)
    assert str(refused.value).endswith("give `model.mean` and `model.std` instead.")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mean": [0.5], "std": [0]}, "`model.std` must be from 1e-08 to 1, of pixels scaled to [0, 1], but got 0."),
        (
            {"mean": [float("nan")], "std": [0.2]},
            "`model.mean` must be from 0 to 1, of pixels scaled to [0, 1], but got nan.",
        ),
        (
            {"mean": [True], "std": [0.2]},
            "`model.mean` must be a list of numbers, one for each channel, but got True among",
        ),
        ({"mean": ["0.5"], "std": [0.2]}, "`model.mean` must be a list of numbers"),
        ({"mean": 0.5, "std": 0.2}, "`model.mean` must be a list of numbers, one for each channel, but got 0.5."),
        ({"mean": [0.5, 0.5, 0.5], "std": [0.2]}, "with one value a channel, but got 3 and 1."),
        ({"mean": [123.7], "std": [58.4]}, "divide by 255: 0.4851."),
    ],
)
def test_mean_and_std_of_a_configuration_obey_it_too(values, message):
    with pytest.raises(ConfigError) as refused:
        UnlearnConfig.parse(
            {"data": {"source": "digits"}, "forget": {"classes": [1]}, "model": {"name": "SmallCNN", **values}}
        )
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("colour, mean 0.4 0.5 0.6 and std 0.2 0.2 0.3", Preprocessing((0.4, 0.5, 0.6), (0.2, 0.2, 0.3))),
        ("mean=(0.4, 0.5, 0.6), std=(0.2, 0.2, 0.3)", Preprocessing((0.4, 0.5, 0.6), (0.2, 0.2, 0.3))),
        ("Mean: [0.5]; Std: [1]", Preprocessing((0.5,), (1.0,))),
        ("mean 0 and std 1", Preprocessing((0.0,), (1.0,))),
        ("the mean image is subtracted", None),
        ("", None),
    ],
)
def test_a_sentence_may_say_mean_and_std(text, expected):
    assert Checkpoint({}, {"input": text}).preprocessing() == expected


@pytest.mark.parametrize(
    "text",
    [
        "mean 123.7 116.3 103.5 and std 58.4 57.1 57.4",
        "mean 124 116 104 and std 58 57 57",
        "mean 0.5 and std 0",
        "mean 0.5 and std nan",
        "mean -0.5 and std 0.2",
        "mean 0.5 0.5 0.5 and std 0.2",
        "mean 0.5",
    ],
)
def test_what_a_sentence_says_obeys_the_rule(text):
    with pytest.raises(DataError, match=r"give `model.mean` and `model.std` instead"):
        Checkpoint({}, {"input": text}).preprocessing()


def test_the_shared_checkpoint_loads_with_its_preprocessing(shared):
    checkpoint = load_checkpoint(shared / "models" / "cifar10_resnet18.safetensors")
    assert checkpoint.preprocessing() == Preprocessing((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
    load_weights(build_model("ResNet18", 10, 3), checkpoint.state_dict, "shared")


@pytest.mark.parametrize("text", ["0.5, 0.5", "0.5", '["a"]', "null"])
def test_a_mean_that_is_no_list_of_numbers_is_refused_with_its_text(text):
    with pytest.raises(
        DataError, match="`mean` in the metadata of the checkpoint must be a list of numbers"
    ) as refused:
        Checkpoint({}, {"mean": text, "std": "[1]"}).preprocessing()
    assert repr(text) in str(refused.value)
