"""The original model: read from a checkpoint, or trained once and cached by content."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from antisample.checkpoints.checkpoint import Checkpoint, load_checkpoint, weights_bytes, weights_fingerprint
from antisample.checkpoints.fitting import fitted_weights
from antisample.data.loader import Normaliser, TrainingData, to_device
from antisample.errors import ConfigError
from antisample.models import code_digest, optimised_for
from antisample.models.agreement import other_order
from antisample.models.config import ModelConfig
from antisample.models.initial_weights import InitialWeights
from antisample.models.masked_outputs import with_outputs_of
from antisample.models.normalisation import (
    MOST_IMAGES,
    decided_normalisation,
    describe,
    pixel_statistics,
    usual_normalisation,
)
from antisample.models.original import OriginalModel
from antisample.models.original_network import build_network, checked_network, initial_weights
from antisample.models.predictions import predict
from antisample.models.trained_models import find_or_train
from antisample.storage.atomic import check_writable
from antisample.storage.cache import Cache
from antisample.training.trainer import EpochListener, train_from_scratch, train_resumably
from antisample.types import Dataset, Preprocessing, Splits

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
        ConfigError: If preprocessing and channels do not fit, or there are no such initial weights; or if the
            checkpoint states no normalisation, and the usual ones do not differ enough.
        DataError: If the checkpoint or the initial weights cannot be used.
        DivergedError: If training diverged.
        StorageError: If the cache is an object store and cannot be asked.
    """
    initial = initial_weights(config, dataset)
    notes = checked_network(config, dataset, device, configured_preprocessing(config, dataset))
    if config.checkpoint is not None:
        checkpoint = load_checkpoint(config.checkpoint)
        return _from_checkpoint(checkpoint, config, dataset, splits, device, str(config.checkpoint), initial, notes)
    path = pretrained_path(config, dataset, splits, cache_dir, initial)

    def load(checkpoint: Checkpoint) -> OriginalModel:
        started = _as_recorded(initial, checkpoint)
        return _from_checkpoint(checkpoint, config, dataset, splits, device, str(path), started, notes)

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
        initial = initial_weights(config, dataset)
    key = {
        "version": _CACHE_VERSION,
        "data": dataset.fingerprint,
        "train": hashlib.blake2b(_train_positions(splits).tobytes(), digest_size=16).hexdigest(),
        "model": config.name if ":" in config.name else config.name.lower(),
        "preprocessing": [config.mean, config.std],
        "recipe": config.recipe.model_dump(),
    }
    if config.normalisation is not None:
        key["normalisation"] = config.normalisation
    if (code := code_digest(config.name)) is not None:
        key["code"] = code
    if config.arguments:
        key["arguments"] = config.arguments
    if initial.state_dict is not None:
        key["initial_weights"] = weights_fingerprint(initial.state_dict)
    digest = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=12).hexdigest()
    return Cache.at(cache_dir).folder / "models" / f"{config.name.replace(':', '.').lower()}-{digest}.safetensors"


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
    preprocessing = configured_preprocessing(config, dataset) or pixel_statistics(dataset.train)
    _check_channels(preprocessing, dataset, "`model.mean`")
    images, labels = to_device(dataset.train, _train_positions(splits), device)
    shape = dataset.train.images.shape[1:]
    model = initial.fresh_model(
        config.name, dataset.n_classes, dataset.channels, config.recipe.seed, config.arguments, shape[1:]
    )
    check_writable(partial.parent, n_bytes=weights_bytes(model.state_dict()))
    model = optimised_for(model, config.name, shape, device)
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
    splits: Splits,
    device: torch.device,
    source: str,
    initial: InitialWeights,
    notes: tuple[str, ...],
) -> OriginalModel:
    preprocessing = configured_preprocessing(config, dataset) or checkpoint.preprocessing(source)
    if preprocessing is not None:
        _check_channels(preprocessing, dataset, source)
    model = with_outputs_of(build_network(config, dataset), checkpoint.state_dict)
    weights, changes = fitted_weights(model, checkpoint, source)
    notes = (*notes, *initial.notes, *changes)
    if preprocessing is None and config.checkpoint is None:
        preprocessing = pixel_statistics(dataset.train)
    elif preprocessing is None:
        model.load_state_dict(weights)
        preprocessing, tried = tried_normalisation(model, config.name, dataset, splits, device, source)
        notes = (*notes, tried)
    fingerprint = weights_fingerprint(weights)
    return OriginalModel(
        config.name, weights, preprocessing, fingerprint, initial, config.arguments, notes, config.stages
    )


def tried_normalisation(
    model: nn.Module, name: str, dataset: Dataset, splits: Splits, device: torch.device, source: str
) -> tuple[Preprocessing, str]:
    """The usual normalisation under which a model recognises most, and a sentence that says so.

    Args:
        model: The network with its weights.
        name: What it was built by.
        dataset: The data.
        splits: Tell the validation images that it is tried on.
        device: Where to compute.
        source: Where the model comes from, for messages.

    Raises:
        ConfigError: If the images do not decide.
    """
    images = dataset.split(splits.validation_from)
    some = np.linspace(0, len(splits.validation) - 1, min(MOST_IMAGES, len(splits.validation)))
    positions = splits.validation[some.astype(np.int64)]
    quick = optimised_for(model, name, images.images.shape[1:], device)

    def correct(preprocessing: Preprocessing) -> npt.NDArray[np.bool_]:
        predictions = predict(quick, images, positions, Normaliser(preprocessing, device), device, 100)
        labels, said = predictions.labels, predictions.probabilities.argmax(axis=1)
        order = other_order(labels, said, dataset.n_classes) or {}  # a wrong order is found later, and named
        return np.asarray(said == [order.get(int(label), int(label)) for label in labels])

    best, accuracy = decided_normalisation(dataset, correct, source)
    note = (
        f"{source} does not state the normalisation that the model expects; {describe(best)} (`{best}`) were used, "
        f"since the model recognises the most images with them ({accuracy:.1%} of {len(positions)})."
    )
    return usual_normalisation(best, dataset), note


def configured_preprocessing(config: ModelConfig, dataset: Dataset) -> Preprocessing | None:
    """The preprocessing that the configuration states; None where the checkpoint or the data tells it."""
    if config.normalisation is not None:
        return usual_normalisation(config.normalisation, dataset)
    return Preprocessing(config.mean, config.std) if config.mean is not None and config.std is not None else None


def _check_channels(preprocessing: Preprocessing, dataset: Dataset, source: str) -> None:
    if len(preprocessing.mean) != dataset.channels:
        raise ConfigError(
            f"{source}: mean and std must have one value for each of the {dataset.channels} channels of "
            f"{dataset.name}, but got {len(preprocessing.mean)}."
        )
