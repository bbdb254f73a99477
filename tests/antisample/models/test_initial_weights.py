"""Initial weights: how real files in torchvision's layout are fitted, fetched and refused, and who uses them."""

import copy
import dataclasses
import hashlib
import http.server
import socket
import threading
import time

import pytest
import safetensors.torch
import torch
import torchvision.models

from antisample.config import UnlearnConfig
from antisample.errors import ConfigError, DataError
from antisample.methods import UnlearnContext, find_method, method_config
from antisample.models import build_model
from antisample.models.config import ModelConfig
from antisample.models.imagenet import fetch_weights, imagenet_url
from antisample.models.initial_weights import RANDOM_WEIGHTS, InitialWeights, find_initial_weights

CPU = torch.device("cpu")
# First layer, and the prefix of the classifier.
LAYERS = {"ResNet18": ("conv1.weight", "fc"), "MobileNet_v2": ("features.0.0.weight", "classifier.1")}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """State dicts and files in the layout of torchvision's weights: 1000 classes, colour."""
    folder, found = tmp_path_factory.mktemp("published"), {}
    for name in LAYERS:
        torch.manual_seed(len(name))
        state = torchvision.models.get_model(name.lower()).state_dict(keep_vars=True)  # parameters, as published
        torch.save(state, folder / f"{name}.pth")
        safetensors.torch.save_file(
            {key: value.detach() for key, value in state.items()}, folder / f"{name}.safetensors"
        )
        found[name] = state
    return folder, found


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize(("n_classes", "channels"), [(10, 1), (300, 3), (1000, 3)])
def test_weights_are_fitted_to_channels_and_classes_and_else_kept(published, name, suffix, n_classes, channels):
    folder, files = published
    initial = find_initial_weights(str(folder / f"{name}.{suffix}"), name, n_classes, channels)
    assert initial.origin == f"weights of {name}.{suffix}"
    first, last = LAYERS[name]
    model = initial.fresh_model(name, n_classes, channels, seed=0)
    for key, tensor in model.state_dict().items():
        expected = files[name][key]
        if key == first and channels == 1:
            expected = torch.stack([expected[:, channel] for channel in range(3)]).mean(0)[:, None]
        elif key.startswith(last):
            expected = expected[:n_classes]
        torch.testing.assert_close(tensor, expected.detach(), rtol=1e-6, atol=1e-9)
        assert key == first or torch.equal(tensor, expected)
    copy.deepcopy(initial)  # as a search does when it sends an original model to its workers


def test_any_model_takes_a_file_of_its_own_layout(tmp_path):
    torch.save(build_model("SmallCNN", 20, 3).state_dict(), tmp_path / "own.pth")
    initial = find_initial_weights(str(tmp_path / "own.pth"), "SmallCNN", 5, 1)
    assert initial.fresh_model("SmallCNN", 5, 1, seed=0)(torch.zeros(1, 1, 8, 8)).shape == (1, 5)


def test_files_of_old_torch_versions_lack_batch_counters(tmp_path):
    state = {k: v for k, v in build_model("ResNet9", 10, 3).state_dict().items() if "num_batches" not in k}
    torch.save(state, tmp_path / "old.pth")
    found = find_initial_weights(str(tmp_path / "old.pth"), "ResNet9", 10, 3).state_dict
    assert found["conv1.1.num_batches_tracked"] == 0
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


def test_files_that_do_not_fit_are_refused(published, tmp_path):
    folder, _ = published
    resnet = str(folder / "ResNet18.pth")
    with pytest.raises(
        DataError, match=r"ResNet18.pth: the checkpoint has a different architecture from MobileNetV2"
    ):
        find_initial_weights(resnet, "MobileNet_v2", 10, 3)
    with pytest.raises(DataError, match=r"at least the 1001 classes of the data, but got 1000"):
        find_initial_weights(resnet, "ResNet18", 1001, 3)
    torch.save(build_model("SmallCNN", 10, 1).state_dict(), tmp_path / "grey.pth")
    with pytest.raises(DataError, match=r"of shape \[32, 1, 3, 3\] where the model has \[32, 3, 3, 3\]"):
        find_initial_weights(str(tmp_path / "grey.pth"), "SmallCNN", 10, 3)
    (tmp_path / "damaged.pth").write_bytes((folder / "ResNet18.pth").read_bytes()[:5000])
    with pytest.raises(DataError, match=r"damaged.pth: "):
        find_initial_weights(str(tmp_path / "damaged.pth"), "ResNet18", 10, 3)


def test_what_cannot_be_asked_for_is_refused():
    with pytest.raises(
        ConfigError, match=r"`model.initial_weights` must be .*, but got 'imagnet', which does not exist"
    ):
        find_initial_weights("imagnet", "ResNet18", 10, 3)
    with pytest.raises(ConfigError, match=r"ResNet18, MobileNet_v2, but got 'imagenet' for 'ResNet9'"):
        find_initial_weights("imagenet", "ResNet9", 10, 3)
    values = {"data": {"source": "digits"}, "forget": {"classes": [1]}}
    UnlearnConfig.parse({**values, "model": {"name": "mobilenet_V2", "initial_weights": "imagenet"}})
    with pytest.raises(
        ConfigError, match=r"`imagenet` for ResNet18 and MobileNet_v2 alone, but got the model 'AllCNN'"
    ):
        UnlearnConfig.parse({**values, "model": {"name": "AllCNN", "initial_weights": "imagenet"}})


def test_finding_weights_leaves_the_global_random_state_alone(published):
    before = torch.get_rng_state()
    find_initial_weights(str(published[0] / "ResNet18.pth"), "ResNet18", 10, 3).fresh_model("ResNet18", 10, 3, seed=1)
    RANDOM_WEIGHTS.fresh_model("SmallCNN", 10, 3, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache of torch hub."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def server(tmp_path):
    """A web server on this machine over a folder; returns the folder and its address."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def publish(folder, content):
    """Serves content under a name that tells its sum, as torchvision does."""
    name = f"resnet18-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (folder / name).write_bytes(content)
    return name


@pytest.mark.integration
def test_published_weights_are_downloaded_once_and_then_found(published, hub, server, monkeypatch, capsys):
    folder, address = server
    name = publish(folder, (published[0] / "ResNet18.pth").read_bytes())
    monkeypatch.setattr("antisample.models.initial_weights.imagenet_url", lambda _: f"{address}/{name}")
    first = find_initial_weights("imagenet", "resnet18", 10, 3)
    assert [path.name for path in hub.iterdir()] == [name]
    (folder / name).unlink()
    second = find_initial_weights("imagenet", "resnet18", 10, 3)
    for initial in (first, second):
        assert initial.origin == "ImageNet weights (torchvision IMAGENET1K_V1)"
        assert torch.equal(initial.state_dict["fc.bias"], published[1]["ResNet18"]["fc.bias"][:10])
    assert capsys.readouterr().out == ""


@pytest.mark.integration
def test_a_file_in_the_cache_with_another_sum_is_an_error(hub, server):
    folder, address = server
    name = publish(folder, b"weights")
    fetch_weights(f"{address}/{name}")
    (hub / name).write_bytes(b"other weights")
    with pytest.raises(DataError, match=rf"{name}: the SHA-256 sum .* must begin with .*; remove the file"):
        fetch_weights(f"{address}/{name}")


@pytest.mark.integration
def test_what_is_not_the_published_file_is_not_kept(hub, server):
    folder, address = server
    (folder / "resnet18-00000000.pth").write_bytes(b"please log in to this network")
    with pytest.raises(OSError, match="the SHA-256 sum of what was received begins with"):
        fetch_weights(f"{address}/resnet18-00000000.pth")
    assert not hub.exists()


@pytest.mark.parametrize("name", LAYERS)
def test_without_a_connection_weights_are_random_and_it_is_said(hub, monkeypatch, caplog, name):
    published = imagenet_url(name)
    assert published.startswith(f"https://download.pytorch.org/models/{name.lower()}-")
    nobody = published.replace("https://download.pytorch.org", "http://127.0.0.1:9")
    monkeypatch.setattr("antisample.models.initial_weights.imagenet_url", lambda _: nobody)
    started = time.monotonic()
    initial = find_initial_weights("imagenet", name, 10, 3)
    assert time.monotonic() - started < 30
    assert initial.state_dict is None
    assert initial.origin.startswith("random weights, since the ImageNet weights could not be downloaded (")
    assert "Connection refused" in initial.origin
    assert initial.origin in caplog.text


def test_a_silent_server_is_given_up(hub, monkeypatch):
    monkeypatch.setattr("antisample.models.imagenet._TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError):
        fetch_weights(f"http://127.0.0.1:{silent.getsockname()[1]}/resnet18-00000000.pth")


def test_retraining_starts_as_the_original_did(digits_inputs, tmp_path):
    weights = dict(build_model("SmallCNN", 10, 1).state_dict())
    original = dataclasses.replace(digits_inputs.original, initial=InitialWeights(weights, "weights of own.pth"))
    context = UnlearnContext(digits_inputs.dataset, digits_inputs.splits, original, CPU, seed=5)
    retrain, config = find_method("retrain"), method_config("retrain", epochs=1)
    start = retrain.prepare(context, config).model.state_dict()
    assert all(torch.equal(start[name], tensor) for name, tensor in weights.items())
    anew = retrain.prepare(dataclasses.replace(context, original=digits_inputs.original), config).model.state_dict()
    assert not torch.equal(anew["classifier.2.weight"], weights["classifier.2.weight"])


def test_the_configuration_starts_from_random_weights_by_default():
    assert ModelConfig(name="ResNet18").initial_weights == "random"
    assert find_initial_weights("random", "AllCNN", 10, 3) is RANDOM_WEIGHTS
