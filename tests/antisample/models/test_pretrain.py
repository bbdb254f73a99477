import dataclasses
import sys

import numpy as np
import pytest
import torch

from antisample.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, weights_fingerprint
from antisample.errors import ConfigError, DataError
from antisample.models import build_model
from antisample.models.config import ModelConfig
from antisample.models.normalisation import pixel_statistics
from antisample.models.pretrain import original_model, pretrained_path
from antisample.types import ImageSet

CPU = torch.device("cpu")
MODEL = ModelConfig.model_validate({"name": "SmallCNN", "recipe": {"epochs": 1, "batch_size": 128}})


def test_the_model_is_trained_once_and_then_found(digits_inputs, tmp_path):
    epochs = []
    for _ in range(2):
        model = original_model(
            MODEL, digits_inputs.dataset, digits_inputs.splits, tmp_path, CPU, lambda *report: epochs.append(report)
        )
    assert [report[:2] for report in epochs] == [(1, 1)]
    assert pretrained_path(MODEL, digits_inputs.dataset, digits_inputs.splits, tmp_path).is_file()
    assert model.preprocessing == pixel_statistics(digits_inputs.dataset.train)


def test_the_cache_key_holds_all_that_the_weights_depend_on(digits_inputs, tmp_path):
    dataset, splits = digits_inputs.dataset, digits_inputs.splits
    other_request = dataclasses.replace(splits, forget=splits.retain, retain=splits.forget)
    other_split = dataclasses.replace(splits, retain=splits.retain[1:])
    other_data = dataclasses.replace(dataset, fingerprint="other")
    other_recipe = MODEL.model_copy(update={"recipe": MODEL.recipe.model_copy(update={"seed": 1})})
    path = pretrained_path(MODEL, dataset, splits, tmp_path)
    assert pretrained_path(MODEL, dataset, other_request, tmp_path) == path
    others = [
        pretrained_path(MODEL, dataset, other_split, tmp_path),
        pretrained_path(MODEL, other_data, splits, tmp_path),
        pretrained_path(other_recipe, dataset, splits, tmp_path),
    ]
    assert len({path, *others}) == 4


def test_a_damaged_cache_file_is_trained_again(digits_inputs, tmp_path):
    first = original_model(MODEL, digits_inputs.dataset, digits_inputs.splits, tmp_path, CPU)
    path = pretrained_path(MODEL, digits_inputs.dataset, digits_inputs.splits, tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    again = original_model(MODEL, digits_inputs.dataset, digits_inputs.splits, tmp_path, CPU)
    assert again.fingerprint == first.fingerprint


def test_a_checkpoint_brings_its_own_preprocessing(digits_inputs, tmp_path):
    path = tmp_path / "own.safetensors"
    weights = dict(build_model("SmallCNN", 10, 1).state_dict())
    save_checkpoint(path, Checkpoint(weights, {"mean": "[0.25]", "std": "[0.75]"}))
    config = MODEL.model_copy(update={"checkpoint": path})
    model = original_model(config, digits_inputs.dataset, digits_inputs.splits, tmp_path, CPU)
    assert (model.preprocessing.mean, model.preprocessing.std) == ((0.25,), (0.75,))
    told = config.model_copy(update={"mean": (0.1,), "std": (0.2,)})
    model = original_model(told, digits_inputs.dataset, digits_inputs.splits, tmp_path, CPU)
    assert (model.preprocessing.mean, model.preprocessing.std) == ((0.1,), (0.2,))


def test_a_checkpoint_with_a_prefix_is_the_same_model_and_it_is_said(digits_inputs, tmp_path):
    weights = dict(build_model("SmallCNN", 10, 1).state_dict())
    save_checkpoint(tmp_path / "plain.safetensors", Checkpoint(weights))
    torch.save({"state_dict": {f"module.{name}": t for name, t in weights.items()}}, tmp_path / "wrapped.pt")
    plain, wrapped = (
        original_model(
            MODEL.model_copy(update={"checkpoint": tmp_path / name, "normalisation": "data"}),
            digits_inputs.dataset,
            digits_inputs.splits,
            tmp_path,
            CPU,
        )
        for name in ("plain.safetensors", "wrapped.pt")
    )
    assert plain.fingerprint == wrapped.fingerprint == weights_fingerprint(weights)
    assert plain.notes == ()
    assert [note.split("`")[1] for note in wrapped.notes] == ["state_dict", "module."]
    wrapped.build(digits_inputs.dataset, CPU)


def test_a_full_disk_is_found_before_the_training(digits_inputs, tmp_path):
    (tmp_path / "models").symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match=r"models: cannot be written"):
        original_model(
            MODEL, digits_inputs.dataset, digits_inputs.splits, tmp_path, CPU, lambda *_: pytest.fail("trained")
        )


def test_a_checkpoint_of_another_architecture_or_with_other_channels_is_refused(digits_inputs, tmp_path):
    path = tmp_path / "own.safetensors"
    save_checkpoint(path, Checkpoint(dict(build_model("ResNet9", 10, 1).state_dict())))
    config = MODEL.model_copy(update={"checkpoint": path})
    with pytest.raises(DataError, match=r"own.safetensors: the checkpoint has a different architecture"):
        original_model(config, digits_inputs.dataset, digits_inputs.splits, tmp_path, CPU)
    colour = config.model_copy(update={"mean": (0.1, 0.1, 0.1), "std": (0.2, 0.2, 0.2)})
    with pytest.raises(ConfigError, match=r"one value for each of the 1 channels of digits, but got 3"):
        original_model(colour, digits_inputs.dataset, digits_inputs.splits, tmp_path, CPU)


def test_pixel_statistics_equal_numpy():
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 4, 4), dtype=np.uint8)
    found = pixel_statistics(ImageSet(images, np.zeros(50, np.int64)))
    np.testing.assert_allclose(found.mean, (images / 255).mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(found.std, (images / 255).std((0, 2, 3)), rtol=1e-12)


@pytest.fixture
def own_start(tmp_path):
    """A configuration that starts from a weights file."""
    torch.manual_seed(3)
    torch.save(build_model("SmallCNN", 10, 1).state_dict(), tmp_path / "start.pth")
    return MODEL.model_copy(update={"initial_weights": str(tmp_path / "start.pth")})


def test_training_starts_from_the_initial_weights_and_records_them(digits_inputs, tmp_path, own_start):
    still = MODEL.recipe.model_copy(update={"max_learning_rate": 1e-12, "weight_decay": 0.0})
    config = own_start.model_copy(update={"recipe": still})
    first = original_model(config, digits_inputs.dataset, digits_inputs.splits, tmp_path, CPU)
    start = torch.load(tmp_path / "start.pth", weights_only=True)
    for name, _ in build_model("SmallCNN", 10, 1).named_parameters():
        torch.testing.assert_close(first.state_dict[name], start[name], rtol=0, atol=1e-6)
    assert first.initial.origin == "weights of start.pth"
    path = pretrained_path(config, digits_inputs.dataset, digits_inputs.splits, tmp_path)
    assert load_checkpoint(path).metadata["initial_weights"] == "weights of start.pth"


def test_the_cache_key_holds_the_initial_weights_and_not_their_name(digits_inputs, tmp_path, own_start):
    dataset, splits = digits_inputs.dataset, digits_inputs.splits
    path = pretrained_path(own_start, dataset, splits, tmp_path)
    assert path != pretrained_path(MODEL, dataset, splits, tmp_path)
    original_model(own_start, dataset, splits, tmp_path, CPU)
    renamed = own_start.model_copy(
        update={"initial_weights": str((tmp_path / "start.pth").rename(tmp_path / "renamed.pth"))}
    )
    assert pretrained_path(renamed, dataset, splits, tmp_path) == path
    found = original_model(renamed, dataset, splits, tmp_path, CPU, lambda *_: pytest.fail("trained again"))
    assert found.initial.origin == "weights of start.pth"
    torch.save(build_model("SmallCNN", 10, 1).state_dict(), tmp_path / "renamed.pth")
    assert pretrained_path(renamed, dataset, splits, tmp_path) != path


def test_models_that_older_versions_cached_are_still_found(digits_inputs, tmp_path):
    dataset = dataclasses.replace(digits_inputs.dataset, fingerprint="data")
    splits = dataclasses.replace(digits_inputs.splits, forget=np.arange(3), retain=np.arange(3, 9))
    path = pretrained_path(MODEL, dataset, splits, tmp_path)
    assert path.name == "smallcnn-8e549618b3913a6e6da11401.safetensors"  # version 0.1.0


def test_weights_that_cannot_be_downloaded_are_said_on_every_load(digits_inputs, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    nobody = "http://127.0.0.1:9/mobilenet_v2-00000000.pth"
    monkeypatch.setattr("antisample.models.initial_weights.imagenet_url", lambda _: nobody)
    config = ModelConfig(name="MobileNet_v2", initial_weights="imagenet")
    plain = ModelConfig(name="MobileNet_v2")
    dataset, splits = digits_inputs.dataset, digits_inputs.splits
    path = pretrained_path(config, dataset, splits, tmp_path)
    assert path == pretrained_path(plain, dataset, splits, tmp_path)
    save_checkpoint(path, Checkpoint(dict(build_model("MobileNet_v2", 10, 1).state_dict())))
    for asked, said in ((config, "random weights, since the ImageNet weights"), (plain, "random weights")):
        assert original_model(asked, dataset, splits, tmp_path, CPU).initial.origin.startswith(said)


def test_a_checkpoint_keeps_initial_weights_for_retraining(digits_inputs, tmp_path, own_start):
    path = tmp_path / "own.safetensors"
    save_checkpoint(path, Checkpoint(dict(build_model("SmallCNN", 10, 1).state_dict())))
    config = own_start.model_copy(update={"checkpoint": path, "normalisation": "data"})
    found = original_model(config, digits_inputs.dataset, digits_inputs.splits, tmp_path, CPU)
    assert found.initial.origin == "weights of start.pth"
    assert found.fingerprint != weights_fingerprint(found.initial.state_dict)


def test_code_of_ones_own_that_changes_is_another_model(digits_inputs, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    paths = []
    for activation in ("ReLU", "Tanh"):
        code = f"from torch import nn\ndef build(n, c):\n    return nn.Sequential(nn.Flatten(), nn.{activation}())\n"
        (tmp_path / "changing.py").write_text(code)
        sys.modules.pop("changing", None)
        for name in ("changing:build", "changing:Build"):
            model = MODEL.model_copy(update={"name": name.replace("Build", "build")})
            paths.append(pretrained_path(model, digits_inputs.dataset, digits_inputs.splits, tmp_path))
    assert paths[0] == paths[1] != paths[2] == paths[3]
