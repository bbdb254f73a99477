"""The stages of networks: which modules they are, and what they give."""

import pytest
import torch
import torchvision
from torch import nn

from antisample.errors import ConfigError
from antisample.models import build_model, model_names, optimised_for
from antisample.models.config import ModelConfig
from antisample.models.stages import StageOutputs, pooled, stage_layers, stage_names

CPU = torch.device("cpu")


def random_model(name):
    """A network whose normalisations do something: as fresh ones are, a frozen one changes next to nothing."""
    model = build_model(name, 10, 3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return model.eval()


@pytest.mark.parametrize("name", model_names())
def test_those_of_packaged_networks_give_the_same_where_the_network_is_arranged_for_speed(name):
    stages = stage_names(name, lambda: pytest.fail("they are known"), (3, 32, 32))
    assert stages == stage_names("own:network", lambda: build_model(name, 10, 3), (3, 32, 32), stages[::-1])
    plain, quick = random_model(name), build_model(name, 10, 3)
    quick.load_state_dict(plain.state_dict())
    quick = optimised_for(quick, name, (3, 32, 32), CPU)
    images = torch.randn(3, 3, 32, 32)
    with StageOutputs(plain, stages) as usual, StageOutputs(quick, stages) as arranged:
        first, second = usual(images.clone()), arranged(images.clone())
    assert first.dtype == torch.float32
    assert len(first) == 3
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-4)


def test_a_stage_that_is_a_convolution_alone_gives_what_it_gives_before_its_normalisation():
    plain, quick = random_model("ResNet9"), build_model("ResNet9", 10, 3)
    quick.load_state_dict(plain.state_dict())
    quick = optimised_for(quick, "ResNet9", (3, 32, 32), CPU).train()
    images = torch.randn(3, 3, 32, 32)
    with StageOutputs(plain, ["conv3.0", "conv4.0"]) as usual, StageOutputs(quick, ["conv3.0", "conv4.0"]) as other:
        torch.testing.assert_close(usual(images.clone()), other(images.clone()), rtol=1e-3, atol=1e-4)
    assert quick.conv3[0].followers  # the network itself stays arranged, and in its mode
    assert all(module.training for module in quick.modules())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet50", "layer1 layer2 layer3 layer4"),
        ("vgg11", "features.5 features.10 features.15 features.20"),
        ("densenet121", "features.denseblock1 features.denseblock2 features.denseblock3 features.denseblock4"),
        ("mobilenet_v3_small", "features.3 features.6 features.9 features.12"),
        ("efficientnet_b0", "features.2 features.4 features.6 features.8"),
        ("convnext_tiny", "features.1 features.3 features.5 features.7"),
        ("regnet_y_400mf", "trunk_output.block1 trunk_output.block2 trunk_output.block3 trunk_output.block4"),
        ("shufflenet_v2_x0_5", "stage2 stage3 stage4 conv5"),
        ("squeezenet1_1", "features.3 features.6 features.9 features.12"),
        ("googlenet", "conv3 inception3b inception4e inception5b"),
        ("mnasnet0_5", "layers.9 layers.10 layers.12 layers.13"),
        ("swin_t", "features.1 features.3 features.5 features.7"),
        ("alexnet", "features.2 features.5 features.12"),
    ],
)
def test_those_of_torchvisions_families_are_known(name, expected):
    side = 64 if name in {"squeezenet1_1", "alexnet"} else 32

    def build():
        return getattr(torchvision.models, name)(num_classes=10)

    assert stage_names(f"torchvision.models:{name}", build, (3, side, side)) == tuple(expected.split())


def test_those_of_transformers_are_blocks_whose_tokens_are_averaged():
    def build():
        return torchvision.models.VisionTransformer(32, 8, 8, 2, 16, 32, num_classes=10)

    stages = stage_names("own:vit", build, (3, 32, 32))
    assert stages == tuple(f"encoder.layers.encoder_layer_{i}" for i in (1, 3, 5, 7))
    with StageOutputs(build(), stages) as outputs:
        assert outputs(torch.randn(2, 3, 32, 32)).shape == (2, 4 * 16)


def test_positions_are_averaged_wherever_the_channels_stand():
    values = torch.randn(2, 5, 3, 3)
    torch.testing.assert_close(pooled(values), values.mean(dim=(2, 3)))
    torch.testing.assert_close(pooled(values.permute(0, 2, 3, 1)), values.mean(dim=(2, 3)))
    torch.testing.assert_close(pooled(values[:, :, 0]), values[:, :, 0].mean(dim=1))
    assert pooled(values[:, :, 0, 0].double()).dtype == torch.float32


class Plain(nn.Module):
    """Layers in another order than they are called in, one that is not called, and one that gives no tensor."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(16, 10)
        self.second = nn.Linear(16, 16)
        self.first = nn.Linear(192, 16)
        self.norm = nn.LayerNorm(16)
        self.unused = nn.Linear(3, 3)
        self.pair = Pair()
        self.body = nn.Sequential(nn.Linear(16, 16), nn.ReLU())

    def forward(self, images):
        out = self.norm(self.second(self.first(images.flatten(1))))
        return self.head(self.pair(self.body(out))[0])


class Pair(nn.Module):
    def forward(self, values):
        return values, values


class Around(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, images):
        return self.inner(images)


def of(build, *asked):
    return stage_names("own:network", build, (3, 8, 8), asked)


def test_those_of_other_networks_are_the_last_layers_with_weights_before_the_head():
    assert of(Plain) == ("first", "second", "body.0")
    assert of(Plain, "body", "norm") == ("norm", "body")


def test_timms_networks_state_them_and_a_known_network_may_be_a_part_of_another():
    class Timm(Plain):
        feature_info = ({"module": "first", "num_chs": 16}, {"module": "body", "num_chs": 16})

    assert of(Timm) == ("first", "body")
    assert of(lambda: Around(Timm())) == ("inner.first", "inner.body")
    assert of(lambda: Around(torchvision.models.resnet18(num_classes=10)))[-1] == "inner.layer4"


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("third", "must name modules of the network own:network, but 'third' is none of them; it has head, second"),
        ("", "must name modules"),
        ("unused", "'unused' of the network own:network is not called in a forward pass"),
        ("pair", "'pair' of the network own:network gives no tensor with a row for each image"),
        ("head", "'head' of the network own:network holds its head, before which stages must come"),
    ],
)
def test_what_cannot_be_a_stage_is_refused_by_name(stage, message):
    with pytest.raises(ConfigError, match=message):
        of(Plain, "first", stage)


def test_a_network_that_is_a_head_alone_has_none():
    with pytest.raises(ConfigError, match="own:network has no stages: none of its layers with weights is called be"):
        of(lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 10)))


def test_a_network_that_cannot_be_evaluated_is_refused():
    with pytest.raises(ConfigError, match="own:network cannot be evaluated: RuntimeError"):
        of(lambda: nn.Linear(3, 10))


def test_layers_belong_to_the_stage_that_they_lead_to():
    model = build_model("SmallCNN", 10, 1)
    layers = stage_layers(model, stage_names("SmallCNN", lambda: model, (1, 8, 8)))
    assert layers == tuple((f"features.{i}", f"features.{i + 1}") for i in (0, 4, 8))
    model = build_model("ResNet18", 10, 3)
    layers = stage_layers(model, ("layer1", "layer4"))
    assert layers[0][:3] == ("conv1", "bn1", "layer1.0.conv1")
    assert layers[1][0] == "layer2.0.conv1"
    assert not any(name.startswith("fc") for each in layers for name in each)


def test_the_configuration_without_stages_is_what_it_was():
    assert "stages" not in ModelConfig(name="SmallCNN").model_dump()
    assert ModelConfig(name="SmallCNN", stages=("a",)).model_dump()["stages"] == ("a",)
    with pytest.raises(ValueError, match="must name each module once, but got 'a' twice"):
        ModelConfig(name="SmallCNN", stages=("a", "a"))
