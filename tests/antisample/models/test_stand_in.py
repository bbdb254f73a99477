"""The original model where it is there, and what stands in for it where it is not."""

import torch

from antisample.models.config import ModelConfig
from antisample.models.pretrain import original_model
from antisample.models.stand_in import original_or_stand_in
from antisample.training.trainer import TrainingRecipe

CPU = torch.device("cpu")


def test_an_original_that_is_not_trained_is_not_trained_for_a_stand_in(digits_inputs, tmp_path):
    digits, splits = digits_inputs.dataset, digits_inputs.splits
    config = ModelConfig(name="SmallCNN", recipe=TrainingRecipe(epochs=1))
    stand_in, is_trained = original_or_stand_in(config, digits, splits, tmp_path, CPU)
    assert not is_trained
    assert list(tmp_path.iterdir()) == []
    trained = original_model(config, digits, splits, tmp_path, CPU)
    assert {name: weights.shape for name, weights in stand_in.state_dict.items()} == {
        name: weights.shape for name, weights in trained.state_dict.items()
    }
    assert stand_in.preprocessing == trained.preprocessing
    found, is_trained = original_or_stand_in(config, digits, splits, tmp_path, CPU)
    assert is_trained
    assert found.fingerprint == trained.fingerprint
