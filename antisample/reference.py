"""The retrained reference: trained once for each forget request, cached by content, shared by all that need it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from antisample.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from antisample.device import describe_device
from antisample.errors import DataError
from antisample.methods import OriginalModel, RetrainConfig, UnlearnContext, find_method
from antisample.metrics import PARTS, EvaluationSettings, RetrainedReference, Subject
from antisample.models import build_model, use_patch_convolutions
from antisample.pretrain import weights_fingerprint
from antisample.train import EpochListener, Trainer, TrainingRecipe, train_resumably
from antisample.types import Dataset, Splits

_CACHE_VERSION = 1


def retrained_reference(
    recipe: TrainingRecipe,
    dataset: Dataset,
    splits: Splits,
    original: OriginalModel,
    cache_dir: Path,
    device: torch.device,
    settings: EvaluationSettings,
    *,
    seed: int | None = None,
    on_epoch: EpochListener | None = None,
) -> RetrainedReference:
    """Trains the original's architecture on the retain set alone, or finds the result of an earlier training.

    An interrupted training continues after its last saved epoch.

    Args:
        recipe: How the original was trained; the reference is trained the same way.
        dataset: The data.
        splits: The retain images of the forget request.
        original: Tells architecture, preprocessing and initial weights.
        cache_dir: Trained references go to `models/` in it.
        device: Where to train and predict.
        settings: On how many images, and in which batches, to predict.
        seed: Seed of the training; by default the recipe's.
        on_epoch: Called after each epoch with the epoch, their number and the mean loss.

    Returns:
        Its predictions for each part, and what it took.

    Raises:
        DivergedError: If training diverged.
    """
    seed = recipe.seed if seed is None else seed
    checkpoint = _trained(recipe, dataset, splits, original, cache_dir, device, seed, on_epoch)
    subject = Subject(_built(checkpoint, original, dataset, device), dataset, splits, original, settings)
    return RetrainedReference(
        {part: subject.predictions(part) for part in PARTS}, float(checkpoint.metadata["elapsed_s"]), seed
    )


def reference_model(
    recipe: TrainingRecipe,
    dataset: Dataset,
    splits: Splits,
    original: OriginalModel,
    cache_dir: Path,
    device: torch.device,
    seed: int,
) -> nn.Module:
    """The network behind `retrained_reference`, with the same arguments."""
    checkpoint = _trained(recipe, dataset, splits, original, cache_dir, device, seed, None)
    return _built(checkpoint, original, dataset, device)


def reference_path(
    recipe: TrainingRecipe, dataset: Dataset, splits: Splits, original: OriginalModel, cache_dir: Path, seed: int
) -> Path:
    """Where the reference is cached; the name is a digest of everything its weights depend on."""
    key: dict[str, Any] = {
        "version": _CACHE_VERSION,
        "data": dataset.fingerprint,
        "retain": hashlib.blake2b(splits.retain.tobytes(), digest_size=16).hexdigest(),
        "model": original.name.lower(),
        "preprocessing": [original.preprocessing.mean, original.preprocessing.std],
        "recipe": recipe.model_dump(exclude={"seed"}),
        "seed": seed,
    }
    if original.initial.state_dict is not None:
        key["initial_weights"] = weights_fingerprint(original.initial.state_dict)
    digest = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=12).hexdigest()
    return cache_dir / "models" / f"retrained-{original.name.replace(':', '.').lower()}-{digest}.safetensors"


def _trained(
    recipe: TrainingRecipe,
    dataset: Dataset,
    splits: Splits,
    original: OriginalModel,
    cache_dir: Path,
    device: torch.device,
    seed: int,
    on_epoch: EpochListener | None,
) -> Checkpoint:
    path = reference_path(recipe, dataset, splits, original, cache_dir, seed)
    cached = _cached(path, original, dataset)
    if cached is not None:
        return cached
    trainer: Trainer = find_method("retrain").prepare(  # type: ignore[assignment]
        UnlearnContext(dataset, splits, original, device, seed), RetrainConfig(**recipe.model_dump())
    )
    elapsed_s = train_resumably(trainer, path.with_suffix(".partial"), on_epoch)
    metadata = {
        "model": original.name,
        "mean": json.dumps(original.preprocessing.mean),
        "std": json.dumps(original.preprocessing.std),
        "forget_classes": json.dumps(splits.forget_classes),
        "elapsed_s": repr(elapsed_s),
        "trained_on": f"{describe_device(device)}, {torch.get_num_threads()} threads",
        "recipe": recipe.model_dump_json(),
        "initial_weights": original.initial.origin,
        "seed": str(seed),
    }
    checkpoint = Checkpoint(dict(trainer.model.state_dict()), metadata)
    save_checkpoint(path, checkpoint)
    return checkpoint


def _built(checkpoint: Checkpoint, original: OriginalModel, dataset: Dataset, device: torch.device) -> nn.Module:
    model = build_model(original.name, dataset.n_classes, dataset.channels)
    model.load_state_dict(checkpoint.state_dict)
    return use_patch_convolutions(model.to(device), device)


def _cached(path: Path, original: OriginalModel, dataset: Dataset) -> Checkpoint | None:
    """The cached reference; None if there is none, or if it is damaged and has to be trained again."""
    if not path.is_file():
        return None
    try:
        checkpoint = load_checkpoint(path)
        load_weights(
            build_model(original.name, dataset.n_classes, dataset.channels), checkpoint.state_dict, str(path)
        )
        float(checkpoint.metadata["elapsed_s"])
    except (DataError, KeyError, ValueError):
        path.unlink(missing_ok=True)
        return None
    return checkpoint
