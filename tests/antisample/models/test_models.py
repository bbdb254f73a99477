import copy

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from antisample.errors import ConfigError
from antisample.models import build_model, model_names, optimise_for, optimised_for
from antisample.models.kernels.activations import InPlaceReLU6
from antisample.models.kernels.fused_conv import AbsorbedBatchNorm2d, OptimisedConv2d

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
    assert isinstance(build_model("antisample.models.networks.small_cnn:SmallCNN", 4, 1), nn.Module)
    with pytest.raises(ConfigError, match=r"must build a torch.nn.Module, but got list"):
        build_model("tests_builders:listing", 4, 1)


@pytest.fixture(autouse=True)
def _builders(tmp_path, monkeypatch):
    (tmp_path / "tests_builders.py").write_text("def listing(n_classes, in_channels):\n    return []\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def with_statistics(model):
    """The same network in float64 after it has seen some batches: no normalisation is trivial any more."""
    for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm2d)):
        for values, low in (
            (norm.running_mean, -0.5),
            (norm.running_var, 0.5),
            (norm.weight, 0.5),
            (norm.bias, -0.5),
        ):
            if values is not None:
                nn.init.uniform_(values, low, low + 1)
    return model.double()


def assert_same_function(plain, optimised, images):
    assert list(optimised.state_dict()) == list(plain.state_dict())
    outputs = [model(images) for model in (plain, optimised)]
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-9, atol=1e-12)
    weights = torch.randn_like(outputs[0])
    gradients = [
        torch.autograd.grad((out * weights).sum(), list(model.parameters()), allow_unused=True)
        for model, out in zip((plain, optimised), outputs, strict=True)
    ]
    for expected, found in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)


def absorbed(model):
    return sum(isinstance(module, AbsorbedBatchNorm2d) for module in model.modules())


OPTIMISED = [
    pytest.param(name, n_norms, min_outputs, marks=[] if min_outputs == 2**21 or quick else pytest.mark.slow)
    for min_outputs in (0, 2**21, 2**30)  # weights are normalised, some weights and some outputs, outputs
    for name, n_norms, quick in [
        ("ResNet18", 20, False),
        ("MobileNet_v2", 52, True),
        ("ResNet9", 8, False),
        ("AllCNN", 8, False),
        ("SmallCNN", 3, True),
    ]
]


@pytest.mark.parametrize(("name", "n_norms", "min_outputs"), OPTIMISED)
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_an_optimised_network_is_the_same_function_with_the_same_gradients(name, n_norms, mode, min_outputs):
    torch.manual_seed(0)
    plain = with_statistics(build_model(name, 10, 3)).train(mode == "train")
    for dropout in (module for module in plain.modules() if isinstance(module, nn.Dropout)):
        dropout.p = 0.0
    optimised = optimise_for(copy.deepcopy(plain), CPU)
    for conv in (module for module in optimised.modules() if isinstance(module, OptimisedConv2d)):
        conv.min_outputs = min_outputs
    assert absorbed(optimised) == n_norms
    assert any(isinstance(module, OptimisedConv2d) for module in optimised.modules())
    assert_same_function(plain, optimised, torch.randn(4, 3, 32, 32, dtype=torch.float64))
    for expected, found in zip(plain.state_dict().values(), optimised.state_dict().values(), strict=True):
        torch.testing.assert_close(found, expected)  # running statistics too


def test_an_optimised_network_can_be_copied_and_takes_weights():
    torch.manual_seed(0)
    source = with_statistics(build_model("SmallCNN", 10, 1)).eval()
    optimised = optimise_for(build_model("SmallCNN", 10, 1).double().eval(), CPU)
    twin = copy.deepcopy(optimised)
    optimised.load_state_dict(source.state_dict())
    images = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(optimised(images), source(images))
    assert not torch.equal(twin(images), optimised(images))
    twin.load_state_dict(source.state_dict())
    torch.testing.assert_close(twin(images), source(images))


class Unusual(nn.Module):
    """A convolution and a normalisation that do not belong to each other alone."""

    def __init__(self, how):
        super().__init__()
        self.conv, self.norm, self.how = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), how

    def forward(self, images):
        out = self.conv(images)
        if self.how == "used twice":
            return self.norm(out) + out
        if self.how == "called twice":
            return self.norm(out) + self.norm(self.conv(images.flip(-1)))
        if self.how == "something between":
            return self.norm(out.relu())
        if out.mean() > 1e9:  # no tracing gets past this
            return out
        return self.norm(out)


@pytest.mark.parametrize("how", ["used twice", "called twice", "something between", "control flow"])
def test_a_normalisation_that_is_not_a_convolutions_own_stays(how):
    torch.manual_seed(0)
    plain = with_statistics(Unusual(how)).eval()
    optimised = optimise_for(copy.deepcopy(plain), CPU)
    assert absorbed(optimised) == 0
    assert_same_function(plain, optimised, torch.randn(2, 3, 9, 9, dtype=torch.float64))


@pytest.mark.parametrize("options", [{}, {"affine": False}, {"track_running_stats": False}, {"eps": 0.3}])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [2, 9])
def test_a_normalisation_is_absorbed_whatever_its_options(options, bias, size):
    torch.manual_seed(0)
    plain = with_statistics(nn.Sequential(nn.Conv2d(3, 4, 2, bias=bias), nn.BatchNorm2d(4, **options))).eval()
    if options.get("track_running_stats") is False:
        assert absorbed(optimise_for(copy.deepcopy(plain), CPU)) == 0
    optimised = optimise_for(copy.deepcopy(plain), CPU)
    assert_same_function(plain, optimised, torch.randn(5, 3, size, size, dtype=torch.float64))


def test_grouped_convolutions_under_autocast_compute_in_float32():
    torch.manual_seed(0)
    conv = optimise_for(nn.Sequential(nn.Conv2d(8, 8, 3, groups=8)), CPU)
    images = torch.randn(2, 8, 6, 6).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = conv(images)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, conv(images.float()).bfloat16())


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


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": 1, "stride": 2, "bias": False},
        {"kernel_size": (1, 3), "padding": (0, 2), "dilation": (1, 2)},
        {"kernel_size": 5, "padding": 2, "stride": (1, 2)},
        {"kernel_size": 3, "padding": 2, "stride": 4},
        {"kernel_size": 2},
    ],
)
@pytest.mark.parametrize("size", [2, 3, 4, 9])
def test_a_depthwise_convolution_and_its_gradients_are_those_of_conv2d(options, size):
    torch.manual_seed(4)
    plain = nn.Sequential(nn.Conv2d(6, 6, groups=6, **options)).double()
    ours = optimise_for(copy.deepcopy(plain), CPU)
    images = torch.randn(3, 6, size, size, dtype=torch.float64, requires_grad=True)
    weights = torch.randn_like(plain(images))
    expected, found = (
        [out := model(images), *torch.autograd.grad((out * weights).sum(), [images, *model.parameters()])]
        for model in (plain, ours)
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("channels", [1, 8])
def test_few_positions_never_reach_onednn(size, channels):
    """Whose gradient takes several times longer there."""
    model = optimise_for(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8 // channels)), CPU)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        model(torch.randn(2, 8, size, size)).sum().backward()
    names = {event.key for event in profiler.key_averages()}
    assert {"aten::convolution_backward", "aten::mkldnn_convolution"}.isdisjoint(names)


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [2, 9])
def test_a_relu6_in_place_is_the_same_function(groups, bias, size):
    torch.manual_seed(5)
    plain = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, groups=groups, bias=bias), nn.ReLU6(inplace=True)).double()
    optimised = optimise_for(copy.deepcopy(plain), CPU)
    assert isinstance(optimised[1], InPlaceReLU6)
    assert_same_function(plain, optimised, 6 * torch.randn(3, 4, size, size, dtype=torch.float64))


@pytest.mark.parametrize("groups", [1, 4])
def test_an_activation_in_place_may_follow_any_convolution(groups):
    torch.manual_seed(6)
    plain = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, groups=groups, bias=False), nn.ReLU(inplace=True)).double()
    assert_same_function(plain, optimise_for(copy.deepcopy(plain), CPU), torch.randn(3, 4, 2, 2, dtype=torch.float64))


def test_a_relu6_in_place_writes_over_its_input_and_has_the_gradient_of_torch_at_its_ends():
    images = torch.tensor([-1.0, 0.0, 1e-9, 3.0, 6.0, 7.0, float("nan")])
    expected, found = (values := images.clone().requires_grad_()), images.clone().requires_grad_()
    nn.functional.relu6(values).sum().backward()
    taken = found * 1
    out = InPlaceReLU6(inplace=True)(taken)
    out.sum().backward()
    assert out.data_ptr() == taken.data_ptr()
    assert torch.equal(out.detach().nan_to_num(), nn.functional.relu6(images).nan_to_num())
    assert torch.equal(found.grad, expected.grad)


def test_normalisation_stays_outside_a_weight_larger_than_the_output():
    model = optimise_for(build_model("ResNet18", 10, 3), CPU).eval()
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiler:
        model(torch.randn(8, 3, 32, 32))
    outside = [event.input_shapes[0] for event in profiler.events() if event.name == "aten::native_batch_norm"]
    assert [8, 512, 1, 1] in outside
    assert [8, 64, 16, 16] not in outside


@pytest.mark.parametrize("name", ["SmallCNN", "ResNet18"])
def test_a_normalisation_is_in_or_outside_whatever_the_number_of_images(name):
    torch.manual_seed(7)
    model = optimise_for(with_statistics(build_model(name, 10, 3)).float(), CPU).eval()

    def outside(n_images):
        with profile(activities=[ProfilerActivity.CPU]) as profiler, torch.no_grad():
            model(torch.randn(n_images, 3, 32, 32))
        return sum(event.name == "aten::native_batch_norm" for event in profiler.events())

    assert outside(1) == outside(32) == outside(300)


def test_patches_are_for_cpus_alone():
    model = optimise_for(build_model("SmallCNN", 2, 1), torch.device("meta"))
    convolutions = [module for module in model.modules() if isinstance(module, OptimisedConv2d)]
    assert [conv.max_positions for conv in convolutions] == [0, 0, 0]


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


class Viewing(nn.Module):
    """Needs its activations to lie as they usually do, as many networks from a tutorial."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.head = nn.Linear(6 * 36, 4)

    def forward(self, images):
        features = self.norm(self.conv(images)).relu()
        return self.head(features.view(-1, 6 * 36))


def normed_weight():
    return nn.Sequential(torch.nn.utils.weight_norm(nn.Conv2d(1, 4, 8)), nn.Flatten())


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("build", [Viewing, normed_weight, lambda: nn.Sequential(nn.Conv2d(1, 4, 8), nn.Flatten())])
def test_a_network_of_ones_own_is_rearranged_as_far_as_it_stays_the_same(build):
    state = with_statistics(build()).float().state_dict()
    images = torch.randn(3, 1, 8, 8)
    for mode in (False, True):
        plain, built = (build().train(mode) for _ in range(2))
        for model in (plain, built):
            model.load_state_dict(state)
        made = optimised_for(built, "mine:build", (1, 8, 8), CPU)
        assert made.training is mode
        assert made.state_dict().keys() == state.keys()
        assert torch.allclose(made(images), plain(images), atol=1e-4)
        for model in (made, plain):
            model(images).square().sum().backward()
        gradients = zip(made.parameters(), plain.parameters(), strict=True)
        assert all(torch.allclose(ours.grad, usual.grad, rtol=1e-3, atol=1e-3) for ours, usual in gradients)


def test_a_convolution_with_a_hook_keeps_it():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    seen = []
    model[0].register_forward_hook(lambda *_: seen.append(1))
    optimise_for(model, CPU).eval()(torch.randn(2, 1, 8, 8))
    assert seen == [1]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("build = {'depth': 3}", "must be a function or class, but is a dict"),
        ("import antisample.models as build", "must be a function or class, but is a module"),
        ("build = undefined", "cannot be imported: name 'undefined' is not defined"),
        ("def build(:", "cannot be imported: "),
        ("def build(n_classes, in_channels):\n    return [][n_classes]", "cannot be built: IndexError"),
    ],
)
def test_what_cannot_be_built_is_the_users_mistake(tmp_path, code, message):
    name = f"own_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code + "\n")
    with pytest.raises(ConfigError, match=f"`model.name` '{name}:build' {message}"):
        build_model(f"{name}:build", 4, 1)
