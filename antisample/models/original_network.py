"""The network of the original model: built as configured for the data, and tried out on some of its images."""

import numpy as np
import torch
from torch import nn

from antisample.data.loader import Normaliser, to_device
from antisample.models import build_model, describe_call
from antisample.models.config import ModelConfig
from antisample.models.custom.suitability import check_network
from antisample.models.initial_weights import InitialWeights, find_initial_weights
from antisample.models.normalisation import pixel_statistics
from antisample.models.stages import stage_names
from antisample.types import Dataset, ImageSet, Preprocessing


def build_network(config: ModelConfig, dataset: Dataset) -> nn.Module:
    """Builds it with fresh weights; see `build_model`."""
    size = dataset.train.images.shape[2:]
    return build_model(config.name, dataset.n_classes, dataset.channels, config.arguments, size)


def stages_of(config: ModelConfig, dataset: Dataset) -> tuple[str, ...]:
    """Finds its stages; see `stage_names`."""
    shape = dataset.train.images.shape[1:]
    return stage_names(config.name, lambda: build_network(config, dataset), shape, config.stages)


def initial_weights(config: ModelConfig, dataset: Dataset) -> InitialWeights:
    """Finds what training starts from; see `find_initial_weights`."""
    size = dataset.train.images.shape[2:]
    return find_initial_weights(
        config.initial_weights, config.name, dataset.n_classes, dataset.channels, config.arguments, size
    )


def checked_network(
    config: ModelConfig, dataset: Dataset, device: torch.device, preprocessing: Preprocessing | None
) -> tuple[str, ...]:
    """Tries the network out on three training images; see `check_network`.

    Args:
        config: Which network.
        dataset: The data.
        device: Where it will be used.
        preprocessing: What is configured; by default, or where it has another number of channels than the data, the
            statistics of these images stand in for it.

    Returns:
        What people should know of the network, in sentences; of one of their own, how it was built.

    Raises:
        ConfigError: If it cannot be built or used.
    """
    positions = np.linspace(0, len(dataset.train) - 1, 3).astype(np.int64)
    images, _ = to_device(dataset.train, positions, device)
    if preprocessing is None or len(preprocessing.mean) != dataset.channels:
        preprocessing = pixel_statistics(ImageSet(dataset.train.images[positions], dataset.train.labels[positions]))
    normalised = Normaliser(preprocessing, device)(images)
    notes = check_network(
        config.name, lambda: build_network(config, dataset), normalised, dataset.n_classes, dataset.name
    )
    if ":" not in config.name and not config.arguments:
        return notes
    call = describe_call(config.name, dataset.n_classes, dataset.channels, config.arguments)
    return (f"The network was built by {call}.", *notes)
