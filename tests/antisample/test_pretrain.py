import dataclasses

import numpy as np
import pytest
import torch

from antisample.checkpoint import Checkpoint, save_checkpoint
from antisample.config import ModelConfig
from antisample.errors import ConfigError, DataError
from antisample.models import build_model
from antisample.pretrain import original_model, pixel_statistics, pretrained_path
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


def test_a_checkpoint_of_another_architecture_or_with_other_channels_is_refused(digits_inputs, tmp_path):
    path = tmp_path / "own.safetensors"
    save_checkpoint(path, Checkpoint(dict(build_model("ResNet9", 10, 1).state_dict())))
    config = MODEL.model_copy(update={"checkpoint": path})
    with pytest.raises(DataError, match=r"own.safetensors: the checkpoint is of another architecture"):
        original_model(config, digits_inputs.dataset, digits_inputs.splits, tmp_path, CPU)
    colour = config.model_copy(update={"mean": (0.1, 0.1, 0.1), "std": (0.2, 0.2, 0.2)})
    with pytest.raises(ConfigError, match=r"one value for each of the 1 channels of digits, but got 3"):
        original_model(colour, digits_inputs.dataset, digits_inputs.splits, tmp_path, CPU)


def test_pixel_statistics_equal_numpy():
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 4, 4), dtype=np.uint8)
    found = pixel_statistics(ImageSet(images, np.zeros(50, np.int64)))
    np.testing.assert_allclose(found.mean, (images / 255).mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(found.std, (images / 255).std((0, 2, 3)), rtol=1e-12)
