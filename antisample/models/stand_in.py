"""The original model where it is there already, else the network that its training would begin with."""

from pathlib import Path

import torch

from antisample.models.config import ModelConfig
from antisample.models.normalisation import pixel_statistics
from antisample.models.original import OriginalModel
from antisample.models.original_network import checked_network, initial_weights
from antisample.models.pretrain import configured_preprocessing, original_model, pretrained_path
from antisample.storage.cache import Cache
from antisample.types import Dataset, Splits


def original_or_stand_in(
    config: ModelConfig, dataset: Dataset, splits: Splits, cache_dir: Path | str, device: torch.device
) -> tuple[OriginalModel, bool]:
    """Loads the original model; where it would have to be trained first, an untrained one stands in for it.

    The stand-in computes as long and in as much memory as the original, which is all that it is good for.

    Args:
        config: Which model.
        dataset: The data.
        splits: As for `original_model`.
        cache_dir: Likewise.
        device: Where to compute.

    Returns:
        The model, and whether it is the original.

    Raises:
        AntisampleError: See `original_model`.
    """
    if config.checkpoint is not None:
        return original_model(config, dataset, splits, cache_dir, device), True
    initial = initial_weights(config, dataset)
    path = pretrained_path(config, dataset, splits, cache_dir, initial)
    Cache.at(cache_dir).fetch(path)
    if path.is_file():
        return original_model(config, dataset, splits, cache_dir, device), True
    preprocessing = configured_preprocessing(config, dataset)
    notes = checked_network(config, dataset, device, preprocessing)
    model = initial.fresh_model(
        config.name,
        dataset.n_classes,
        dataset.channels,
        config.recipe.seed,
        config.arguments,
        dataset.train.images.shape[2:],
    )
    weights = dict(model.state_dict())
    preprocessing = preprocessing or pixel_statistics(dataset.train)
    stand_in = OriginalModel(
        config.name, weights, preprocessing, "untrained", initial, config.arguments, notes, config.stages
    )
    return stand_in, False
