"""The original model: read from a checkpoint, or trained once and cached by content."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from antisample.cache import Cache
from antisample.checkpoint import Checkpoint, load_checkpoint, load_weights, weights_fingerprint
from antisample.config import ModelConfig
from antisample.errors import ConfigError
from antisample.loader import Normaliser, TrainingData, to_device
from antisample.methods.base import OriginalModel
from antisample.models import arranged, build_model, code_digest, describe_call
from antisample.models.initial_weights import InitialWeights, find_initial_weights
from antisample.models.suitability import check_network
from antisample.train import EpochListener, train_from_scratch, train_resumably
from antisample.trained_models import find_or_train
from antisample.types import Dataset, ImageSet, Preprocessing, Splits

_CACHE_VERSION = 1


def original_model(
    config: ModelConfig,
    dataset: Dataset,
    splits: Splits,
    cache_dir: Path | str,
    device: torch.device,
    on_epoch: EpochListener | None = None,
) -> OriginalModel:
    """Loads the original model from its checkpoint or from the cache, or else trains and caches it.

    The cache key holds everything the weights depend on: data, training images, architecture, recipe,
    preprocessing, initial weights. Of several that train it at once, the first one's is everybody's; see
    `find_or_train`.

    Args:
        config: Which model.
        dataset: The data.
        splits: Validation images in the training split are held out of training.
        cache_dir: See `Cache.at`; trained models go to `models/` in it.
        device: Where to train.
        on_epoch: Called after each epoch with the epoch, their number and the mean loss.

    Returns:
        The original model.

    Raises:
        ConfigError: If preprocessing and channels do not fit, or there are no such initial weights.
        DataError: If the checkpoint or the initial weights cannot be used.
        DivergedError: If training diverged.
        StorageError: If the cache is an object store and cannot be asked.
    """
    initial = _initial_weights(config, dataset)
    notes = _check_network(config, dataset, device)
    if config.checkpoint is not None:
        checkpoint = load_checkpoint(config.checkpoint)
        return _from_checkpoint(checkpoint, config, dataset, str(config.checkpoint), initial, notes)
    path = pretrained_path(config, dataset, splits, cache_dir, initial)

    def load(checkpoint: Checkpoint) -> OriginalModel:
        return _from_checkpoint(checkpoint, config, dataset, str(path), _as_recorded(initial, checkpoint), notes)

    def train() -> Checkpoint:
        return _train(config, dataset, splits, device, path.with_suffix(".partial"), on_epoch, initial)

    return find_or_train(Cache.at(cache_dir), path, load, train)


def pretrained_path(
    config: ModelConfig,
    dataset: Dataset,
    splits: Splits,
    cache_dir: Path | str,
    initial: InitialWeights | None = None,
) -> Path:
    """Where the original model is cached on this machine; the name is a digest of everything its weights depend on.

    `initial` is what training starts from; None finds what `config` names, see `find_initial_weights`.
    """
    if initial is None:
        initial = _initial_weights(config, dataset)
    key = {
        "version": _CACHE_VERSION,
        "data": dataset.fingerprint,
        "train": hashlib.blake2b(_train_positions(splits).tobytes(), digest_size=16).hexdigest(),
        "model": config.name if ":" in config.name else config.name.lower(),
        "preprocessing": [config.mean, config.std],
        "recipe": config.recipe.model_dump(),
    }
    if (code := code_digest(config.name)) is not None:
        key["code"] = code
    if config.arguments:
        key["arguments"] = config.arguments
    if initial.state_dict is not None:
        key["initial_weights"] = weights_fingerprint(initial.state_dict)
    digest = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=12).hexdigest()
    return Cache.at(cache_dir).folder / "models" / f"{config.name.replace(':', '.').lower()}-{digest}.safetensors"


def pixel_statistics(images: ImageSet) -> Preprocessing:
    """Mean and standard deviation of each channel, of pixels scaled to [0, 1]; exact, from the counts of levels."""
    levels = np.arange(256) / 255
    mean, std = [], []
    for channel in range(images.images.shape[1]):
        counts = np.bincount(images.images[:, channel].ravel(), minlength=256)
        average = float((counts * levels).sum() / counts.sum())
        spread = float(np.sqrt((counts * (levels - average) ** 2).sum() / counts.sum()))
        mean.append(average)
        std.append(spread or 1.0)
    return Preprocessing(tuple(mean), tuple(std))


def _train_positions(splits: Splits) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.sort(np.concatenate([splits.forget, splits.retain]))


def _train(
    config: ModelConfig,
    dataset: Dataset,
    splits: Splits,
    device: torch.device,
    partial: Path,
    on_epoch: EpochListener | None,
    initial: InitialWeights,
) -> Checkpoint:
    preprocessing = _configured(config) or pixel_statistics(dataset.train)
    _check_channels(preprocessing, dataset, "`model.mean`")
    images, labels = to_device(dataset.train, _train_positions(splits), device)
    shape = dataset.train.images.shape[1:]
    model = initial.fresh_model(
        config.name, dataset.n_classes, dataset.channels, config.recipe.seed, config.arguments, shape[1:]
    )
    model = arranged(model, config.name, shape, device)
    data = TrainingData(images, labels, Normaliser(preprocessing, device))
    trainer = train_from_scratch(model, data, config.recipe, config.recipe.seed)
    train_resumably(trainer, partial, on_epoch)
    metadata = {
        "model": config.name,
        "mean": json.dumps(preprocessing.mean),
        "std": json.dumps(preprocessing.std),
        "data": dataset.fingerprint,
        "recipe": config.recipe.model_dump_json(),
        "initial_weights": initial.origin,
    }
    return Checkpoint(dict(model.state_dict()), metadata)


def _as_recorded(initial: InitialWeights, checkpoint: Checkpoint) -> InitialWeights:
    """The same weights with the origin noted when the model was trained; random ones keep today's reason."""
    if initial.state_dict is None:
        return initial
    return replace(initial, origin=checkpoint.metadata.get("initial_weights", initial.origin))


def _from_checkpoint(
    checkpoint: Checkpoint,
    config: ModelConfig,
    dataset: Dataset,
    source: str,
    initial: InitialWeights,
    notes: tuple[str, ...],
) -> OriginalModel:
    preprocessing = _configured(config) or checkpoint.preprocessing() or pixel_statistics(dataset.train)
    _check_channels(preprocessing, dataset, source)
    load_weights(_build(config, dataset), checkpoint.state_dict, source)
    fingerprint = weights_fingerprint(checkpoint.state_dict)
    return OriginalModel(
        config.name, checkpoint.state_dict, preprocessing, fingerprint, initial, config.arguments, notes
    )


def _configured(config: ModelConfig) -> Preprocessing | None:
    return Preprocessing(config.mean, config.std) if config.mean is not None and config.std is not None else None


def _initial_weights(config: ModelConfig, dataset: Dataset) -> InitialWeights:
    size = dataset.train.images.shape[2:]
    return find_initial_weights(
        config.initial_weights, config.name, dataset.n_classes, dataset.channels, config.arguments, size
    )


def _build(config: ModelConfig, dataset: Dataset) -> nn.Module:
    size = dataset.train.images.shape[2:]
    return build_model(config.name, dataset.n_classes, dataset.channels, config.arguments, size)


def _check_network(config: ModelConfig, dataset: Dataset, device: torch.device) -> tuple[str, ...]:
    """Tries the network out on three images; see `check_network`. The notes say how it was built, too."""
    positions = np.linspace(0, len(dataset.train) - 1, 3).astype(np.int64)
    images, _ = to_device(dataset.train, positions, device)
    preprocessing = _configured(config)
    if preprocessing is None or len(preprocessing.mean) != dataset.channels:
        preprocessing = pixel_statistics(ImageSet(dataset.train.images[positions], dataset.train.labels[positions]))
    normalised = Normaliser(preprocessing, device)(images)
    notes = check_network(config.name, lambda: _build(config, dataset), normalised, dataset.n_classes, dataset.name)
    if ":" not in config.name and not config.arguments:
        return notes
    call = describe_call(config.name, dataset.n_classes, dataset.channels, config.arguments)
    return (f"The network was built by {call}.", *notes)


def _check_channels(preprocessing: Preprocessing, dataset: Dataset, source: str) -> None:
    if len(preprocessing.mean) != dataset.channels:
        raise ConfigError(
            f"{source}: mean and std must have one value for each of the {dataset.channels} channels of "
            f"{dataset.name}, but got {len(preprocessing.mean)}."
        )
