import copy

import pytest
import torch
from torch import nn

from antisample.errors import ConfigError
from antisample.models import build_model, model_names, optimise_for
from antisample.models.patch_conv import PatchConv2d

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", model_names())
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("n_classes", [10, 300])
def test_every_model_takes_every_input(name, channels, n_classes):
    model = build_model(name, n_classes, channels).eval()
    with torch.no_grad():
        for size in (8, 28, 32, 64):
            logits = model(torch.randn(2, channels, size, size))
            assert logits.shape == (2, n_classes)
            assert torch.isfinite(logits).all()


@pytest.mark.parametrize(
    ("name", "pads"),
    [("ResNet9", True), ("AllCNN", True), ("ResNet18", False), ("MobileNet_v2", False), ("SmallCNN", False)],
)
def test_resnet9_and_allcnn_alone_pad_28_pixels_to_32(name, pads):
    torch.manual_seed(0)
    model = build_model(name, 10, 1).eval()
    images = torch.rand(2, 1, 28, 28) + 1
    with torch.no_grad():
        small, padded = model(images), model(nn.functional.pad(images, (2, 2, 2, 2)))
    assert torch.equal(small, padded) is pads


def test_names_are_found_in_any_case():
    assert type(build_model("resnet9", 2, 1)) is type(build_model("ResNet9", 2, 1))


@pytest.mark.parametrize("name", ["ResNet10", "no_such_module:build", "antisample.models:no_such_function"])
def test_unknown_models_are_refused(name):
    with pytest.raises(ConfigError, match=r"`model\.name`"):
        build_model(name, 10, 3)


def test_an_import_path_must_build_a_module():
    assert isinstance(build_model("antisample.models.small_cnn:SmallCNN", 4, 1), nn.Module)
    with pytest.raises(ConfigError, match=r"must build a torch.nn.Module, but got list"):
        build_model("tests_builders:listing", 4, 1)


@pytest.fixture(autouse=True)
def _builders(tmp_path, monkeypatch):
    (tmp_path / "tests_builders.py").write_text("def listing(n_classes, in_channels):\n    return []\n")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize("name", ["ResNet18", "MobileNet_v2", "ResNet9", "AllCNN"])
def test_patch_convolutions_compute_the_same_function_and_gradients(name):
    torch.manual_seed(0)
    plain = build_model(name, 10, 3).double().eval()
    patched = optimise_for(copy.deepcopy(plain), CPU)
    assert any(isinstance(module, PatchConv2d) for module in patched.modules())
    assert list(patched.state_dict()) == list(plain.state_dict())
    images, labels = torch.randn(4, 3, 32, 32, dtype=torch.float64), torch.arange(4)
    gradients = []
    for model in (plain, patched):
        loss = nn.functional.cross_entropy(model(images), labels)
        gradients.append(torch.autograd.grad(loss, list(model.parameters()), allow_unused=True))
    for expected, found in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "stride": 2, "bias": False},
        {"kernel_size": (1, 3), "padding": (0, 1), "dilation": (1, 2)},
        {"kernel_size": 3, "padding": "same"},
        {"kernel_size": 5, "padding": 2},
        {"kernel_size": 3, "stride": 4, "padding": 2},
        {"kernel_size": 3, "padding": 1, "groups": 2},
        {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
    ],
)
@pytest.mark.parametrize("size", [2, 3, 9])
def test_patch_convolution_equals_conv2d_for_every_option(options, size):
    if size < 3 and (options.get("padding") is None or options.get("dilation")):
        size = 5  # the kernel would be larger than the image
    torch.manual_seed(1)
    plain = nn.Sequential(nn.Conv2d(4, 6, **options)).double()
    patched = optimise_for(copy.deepcopy(plain), CPU)
    images = torch.randn(3, 4, size, size, dtype=torch.float64)
    torch.testing.assert_close(patched(images), plain(images), rtol=1e-12, atol=1e-12)


def test_patch_convolutions_leave_other_devices_alone():
    model = build_model("SmallCNN", 2, 1)
    assert optimise_for(model, torch.device("meta")) is model
    assert not any(isinstance(module, PatchConv2d) for module in model.modules())


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"), [(1, 3, 1, 1), (1, 3, 2, 2), (2, 3, 2, 1), (2, 5, 1, 2)]
)
def test_taps_that_never_meet_a_pixel_have_gradient_zero(size, kernel, stride, padding):
    torch.manual_seed(2)
    plain = nn.Sequential(nn.Conv2d(4, 6, kernel, stride, padding)).double()
    patched = optimise_for(copy.deepcopy(plain), CPU)
    images = torch.randn(3, 4, size, size, dtype=torch.float64, requires_grad=True)
    weights = torch.randn_like(plain(images))
    expected, found = (
        torch.autograd.grad((model(images) * weights).sum(), [images, *model.parameters()])
        for model in (plain, patched)
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    assert patched[0].max_positions >= plain(images)[0, 0].numel()


def test_a_patch_convolution_in_bfloat16_keeps_its_weights_and_gradients_in_float32():
    torch.manual_seed(3)
    model = optimise_for(nn.Sequential(nn.Conv2d(4, 6, 3, padding=1)), CPU)
    images = torch.randn(8, 4, 2, 2)
    exact = torch.autograd.grad(model(images).square().sum(), model[0].weight)[0]
    with torch.autocast("cpu", torch.bfloat16):
        out = model(images)
    rounded = torch.autograd.grad(out.float().square().sum(), model[0].weight)[0]
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).norm() / exact.norm() < 0.02
