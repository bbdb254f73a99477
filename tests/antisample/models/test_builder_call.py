"""Builders are called by the names that they use, whatever the order of their parameters."""

import sys

import pytest
import torch

from antisample.config import UnlearnConfig
from antisample.errors import ConfigError
from antisample.models import build_model, describe_call
from antisample.models.config import ModelConfig
from antisample.models.pretrain import pretrained_path

CODE = '''
import functools
from torch import nn


def network(channels, classes, width=4):
    features = nn.Sequential(nn.Conv2d(channels, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*features, nn.Linear(width, classes))


class AllCNN(nn.Sequential):
    """As published: the width comes first."""

    def __init__(self, filters_percentage, n_channels, num_classes, dropout=False):
        super().__init__(*network(n_channels, num_classes, int(96 * filters_percentage)))


def wide(num_classes, width):
    return network(1, num_classes, width)


def keywords(*, num_labels, in_chans=3):
    return network(in_chans, num_labels)


def passing(**options):
    return network(1, options.pop("num_classes"), **options)


def named(model_name, **options):
    return network(options.pop("in_chans", 3), options.pop("num_classes", 1000))


def positional(width=5, num_classes=3, /, in_channels=3):
    return network(in_channels, num_classes, width)


def backbone(num_classes=1000, channels=64):
    return network(1, num_classes, channels)


def embedding(num_classes=1000, out_features=7):
    return network(1, num_classes, out_features)


def features(in_channels, out_features):
    return network(in_channels, out_features)


def camel(nClasses, inputChannels):
    return network(inputChannels, nClasses)


def twice(num_classes, num_labels):
    return network(1, num_classes)


def listed(num_classes, channels=(8, 16)):
    return network(1, num_classes, channels[0])


def labelled(classes=("cat", "dog")):
    return network(1, 10)


def other(width=64):
    return network(1, 10, width)


def complete():
    return network(1, 10)


def growing(num_classes, sizes):
    sizes.append(0)
    return network(1, num_classes, len(sizes))


half = functools.partial(AllCNN, 0.5)


def logged(function):
    @functools.wraps(function)
    def wrapper(*arguments, **named):
        return function(*arguments, **named)
    return wrapper


@logged
def wrapped(classes, channels):
    return network(channels, classes)


class Maker:
    def __call__(self, num_classes):
        return network(1, num_classes)


made = Maker()
instance = network(1, 10)


class Quiet(nn.Module):
    def forward(self, images):
        return images
'''


@pytest.fixture(autouse=True, scope="module")
def _builders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("builders")
    (folder / "called_builders.py").write_text(CODE)
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))


@pytest.mark.parametrize(
    ("builder", "arguments", "call"),
    [
        ("AllCNN", {"filters_percentage": 0.25}, "AllCNN(filters_percentage=0.25, n_channels=1, num_classes=10)"),
        ("AllCNN", {"filters_percentage": 0.25, "num_classes": 10, "n_channels": 1}, None),
        ("wide", {"width": 6}, "wide(num_classes=10, width=6)"),
        ("keywords", {}, "keywords(num_labels=10, in_chans=1)"),
        ("passing", {}, "passing(num_classes=10)"),
        ("passing", {"width": 8}, "passing(num_classes=10, width=8)"),
        ("named", {"model_name": "a", "in_chans": 1}, "named(model_name='a', num_classes=10, in_chans=1)"),
        ("positional", {}, "positional(width=5, num_classes=10, in_channels=1)"),
        ("positional", {"width": 7}, "positional(width=7, num_classes=10, in_channels=1)"),
        ("backbone", {}, "backbone(num_classes=10)"),
        ("backbone", {"channels": 3}, "backbone(num_classes=10, channels=3)"),
        ("embedding", {}, "embedding(num_classes=10)"),
        ("features", {}, "features(in_channels=1, out_features=10)"),
        ("camel", {}, "camel(nClasses=10, inputChannels=1)"),
        ("twice", {"num_labels": 10}, "twice(num_classes=10, num_labels=10)"),
        ("listed", {}, "listed(num_classes=10)"),
        ("labelled", {"classes": ["a", "b"]}, "labelled(classes=['a', 'b'])"),
        ("other", {"width": 3}, "other(width=3)"),
        ("complete", {}, "complete()"),
        ("growing", {"sizes": [1, 2]}, "growing(num_classes=10, sizes=[1, 2])"),
        ("half", {}, "half(n_channels=1, num_classes=10)"),
        ("wrapped", {}, "wrapped(classes=10, channels=1)"),
        ("made", {}, "made(num_classes=10)"),
    ],
)
def test_numbers_and_arguments_are_handed_by_name(builder, arguments, call):
    model = build_model(f"called_builders:{builder}", 10, 1, arguments)
    assert model(torch.zeros(3, 1, 8, 8)).shape == (3, 10)
    if call is not None:
        assert describe_call(f"called_builders:{builder}", 10, 1, arguments) == f"called_builders:{call}"


def test_the_width_is_what_was_asked_for():
    assert build_model("called_builders:AllCNN", 10, 3, {"filters_percentage": 0.5})[0].weight.shape[:2] == (48, 3)
    assert build_model("called_builders:backbone", 10, 1)[0].out_channels == 64


def test_arguments_are_the_same_for_every_network():
    arguments = {"sizes": [1, 2]}
    widths = [build_model("called_builders:growing", 10, 1, arguments)[0].out_channels for _ in range(2)]
    assert (widths, arguments) == ([3, 3], {"sizes": [1, 2]})


@pytest.mark.parametrize(
    ("builder", "arguments", "message"),
    [
        (
            "AllCNN",
            {},
            "needs `filters_percentage`, which must be given in `model.arguments`: its signature is "
            "AllCNN(filters_percentage, n_channels, num_classes, dropout=False).",
        ),
        (
            "wide",
            {},
            "needs `width`, which must be given in `model.arguments`: its signature is wide(num_classes, width).",
        ),
        ("wide", {"widht": 3}, "has no parameter `widht`, which is in `model.arguments`: its signature is wide("),
        ("twice", {}, "needs `num_labels`"),
        ("other", {}, "has no parameter for the number of classes with a name such as `num_classes`"),
        ("labelled", {}, "its signature is labelled(classes=('cat', 'dog'))."),
        ("named", {}, "needs `model_name`"),
        ("passing", {"depth": 3}, "(called as called_builders:passing(num_classes=10, depth=3))."),
        ("instance", {}, "must be a function or class that builds a new network each time, but is a network"),
    ],
)
def test_what_cannot_be_called_is_refused_with_its_signature(builder, arguments, message):
    with pytest.raises(ConfigError) as caught:
        build_model(f"called_builders:{builder}", 10, 1, arguments)
    text = str(caught.value)
    assert text.startswith(f"`model.name` 'called_builders:{builder}' ")
    assert message in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("builder", "arguments", "message"),
    [
        ("AllCNN", {"filters_percentage": 1, "num_classes": 7}, "num_classes` must be 10, the number of classes"),
        ("keywords", {"in_chans": 3}, "in_chans` must be 1, the number of channels of the data, but got 3"),
        ("twice", {"num_labels": 5}, "num_labels` must be 10"),
        ("passing", {"num_classes": 5}, "num_classes` must be 10"),
    ],
)
def test_arguments_cannot_contradict_the_data(builder, arguments, message):
    with pytest.raises(ConfigError, match=f"`model.arguments.{message}"):
        build_model(f"called_builders:{builder}", 10, 1, arguments)


def test_builders_of_torchvision_get_the_number_of_classes():
    call = describe_call("torchvision.models:resnet18", 10, 3, {"norm_layer": None})
    assert call == "torchvision.models:resnet18(num_classes=10, norm_layer=None)"
    assert build_model("torchvision.models:mobilenet_v2", 10, 3, {"width_mult": 0.5}).classifier[1].out_features == 10


def test_what_a_builder_prints_is_not_among_the_results(tmp_path, monkeypatch, capsys):
    (tmp_path / "printing_builder.py").write_text(
        "from torch import nn\nprint('imported')\n"
        "def build(num_classes):\n    print('built')\n    return nn.Flatten()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    build_model("printing_builder:build", 10, 1)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "imported\nbuilt\n")


@pytest.mark.parametrize("code", ["import sys\nsys.exit(2)", "def build(num_classes):\n    raise SystemExit(2)"])
def test_a_script_that_exits_is_refused(tmp_path, monkeypatch, code):
    name = f"exiting_{len(code)}"
    (tmp_path / f"{name}.py").write_text(code + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"cannot be (imported|built)"):
        build_model(f"{name}:build", 10, 1)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (float("nan"), "be a finite number"),
        ({1: 2}, "hold plain values"),
        (object(), "hold plain values"),
        ([set()], "hold plain values"),
    ],
)
def test_arguments_are_plain_values(value, rule):
    with pytest.raises(ConfigError, match=f"`model.arguments` must {rule}"):
        UnlearnConfig.parse(
            {
                "data": {"source": "digits"},
                "model": {"name": "SmallCNN", "arguments": {"x": value}},
                "forget": {"classes": [3]},
            }
        )


def test_arguments_belong_to_the_cache_key(digits_inputs, tmp_path):
    models = [
        ModelConfig(name="called_builders:other", arguments=arguments)
        for arguments in ({}, {"width": 3}, {"width": 4})
    ]
    dataset, splits = digits_inputs.dataset, digits_inputs.splits
    assert len({pretrained_path(model, dataset, splits, tmp_path) for model in models}) == 3
