"""The retrained reference: trained once for each forget request, cached by content, shared by all that need it."""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from antisample.checkpoints.checkpoint import Checkpoint, load_weights, weights_bytes, weights_fingerprint
from antisample.device import describe_device
from antisample.errors import DataError
from antisample.methods import OriginalModel, RetrainConfig, UnlearnContext, find_method
from antisample.metrics import EvaluationSettings, EvaluationSubject, RetrainedReference
from antisample.metrics.prediction_cache import kept_predictions
from antisample.metrics.similarity import known_features
from antisample.models import optimised_for
from antisample.models.trained_models import find_or_train
from antisample.storage.atomic import check_writable
from antisample.storage.cache import Cache
from antisample.training.trainer import EpochListener, Trainer, TrainingRecipe, train_resumably
from antisample.types import Dataset, Splits

_CACHE_VERSION = 1


@dataclass(frozen=True)
class ReferenceTraining:
    """Training the original's architecture on the retain set alone; done once, then found in the cache.

    Attributes:
        recipe: How the original was trained; the reference is trained the same way.
        dataset: The data.
        splits: The retain images of the forget request.
        original: Tells architecture, preprocessing and initial weights.
        cache_dir: See `Cache.at`; trained references go to `models/` in it.
        seed: Seed of the training.
    """

    recipe: TrainingRecipe
    dataset: Dataset
    splits: Splits
    original: OriginalModel
    cache_dir: Path | str
    seed: int

    def reference(
        self,
        device: torch.device,
        settings: EvaluationSettings,
        on_epoch: EpochListener | None = None,
        *,
        with_features: bool = False,
    ) -> RetrainedReference:
        """Trains or finds the reference; an interrupted training continues after its last saved epoch.

        Of several that train it at once, the first one's is everybody's; see `find_or_train`.

        Args:
            device: Where to train and predict.
            settings: On how many images, and in which batches, to predict.
            on_epoch: Called after each epoch with the epoch, their number and the mean loss.
            with_features: Whether to compute the outputs of its stages.

        Returns:
            Its predictions for each part, and what it took.

        Raises:
            DivergedError: If training diverged.
            StorageError: If the cache is an object store and cannot be asked.
        """
        checkpoint = self._checkpoint(device, on_epoch)
        subject = EvaluationSubject(
            self._built(checkpoint, device), self.dataset, self.splits, self.original, settings
        )
        elapsed_s = float(checkpoint.metadata["elapsed_s"])
        predictions = kept_predictions(subject, weights_fingerprint(checkpoint.state_dict), self.cache_dir)
        features = known_features(subject) if with_features else {}
        return RetrainedReference(predictions, elapsed_s, self.seed, features)

    def model(self, device: torch.device) -> nn.Module:
        """The network behind `reference`."""
        return self._built(self._checkpoint(device, None), device)

    def train(self, device: torch.device, on_epoch: EpochListener | None = None) -> bytes:
        """Trains or finds it, and returns its file; see `reference`."""
        self._checkpoint(device, on_epoch)
        return self.path().read_bytes()

    def is_kept(self) -> bool:
        """Whether a file of it is in the cache.

        Raises:
            StorageError: If the cache is an object store and cannot be asked.
        """
        Cache.at(self.cache_dir).fetch(self.path())
        return self.path().is_file()

    def keep(self, content: bytes) -> None:
        """Puts its file into the cache, where another machine with another cache has trained it."""
        if not self.path().is_file():
            Cache.at(self.cache_dir).add(self.path(), content)

    def path(self) -> Path:
        """Where the reference is cached; the name is a digest of everything its weights depend on."""
        key: dict[str, Any] = {
            "version": _CACHE_VERSION,
            "data": self.dataset.fingerprint,
            "retain": hashlib.blake2b(self.splits.retain.tobytes(), digest_size=16).hexdigest(),
            "model": self.original.name if ":" in self.original.name else self.original.name.lower(),
            "preprocessing": [self.original.preprocessing.mean, self.original.preprocessing.std],
            "recipe": self.recipe.model_dump(exclude={"seed"}),
            "seed": self.seed,
        }
        if (code := self.original.code_digest()) is not None:
            key["code"] = code
        if self.original.arguments:
            key["arguments"] = self.original.arguments
        if self.original.initial.state_dict is not None:
            key["initial_weights"] = weights_fingerprint(self.original.initial.state_dict)
        digest = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=12).hexdigest()
        name = self.original.name.replace(":", ".").lower()
        return Cache.at(self.cache_dir).folder / "models" / f"retrained-{name}-{digest}.safetensors"

    def _checkpoint(self, device: torch.device, on_epoch: EpochListener | None) -> Checkpoint:
        path = self.path()
        return find_or_train(
            Cache.at(self.cache_dir), path, self._checked, lambda: self._train(device, path, on_epoch)
        )

    def _checked(self, checkpoint: Checkpoint) -> Checkpoint:
        model = self.original.untrained(self.dataset)
        load_weights(model, checkpoint.state_dict, str(self.path()))
        try:
            elapsed_s = float(checkpoint.metadata["elapsed_s"])
        except (KeyError, ValueError):
            elapsed_s = math.nan
        if not 0 <= elapsed_s < math.inf:
            raise DataError(f"{self.path()}: damaged, it does not record how long its training took.")
        return checkpoint

    def _train(self, device: torch.device, path: Path, on_epoch: EpochListener | None) -> Checkpoint:
        original = self.original
        context = UnlearnContext(self.dataset, self.splits, original, device, self.seed)
        trainer: Trainer = find_method("retrain").prepare(  # type: ignore[assignment]
            context, RetrainConfig(**self.recipe.model_dump())
        )
        check_writable(path.parent, n_bytes=weights_bytes(original.state_dict))
        elapsed_s = train_resumably(trainer, path.with_suffix(".partial"), on_epoch)
        metadata = {
            "model": original.name,
            "mean": json.dumps(original.preprocessing.mean),
            "std": json.dumps(original.preprocessing.std),
            "forget_classes": json.dumps(self.splits.forget_classes),
            "elapsed_s": repr(elapsed_s),
            "trained_on": f"{describe_device(device)}, {torch.get_num_threads()} threads",
            "recipe": self.recipe.model_dump_json(),
            "initial_weights": original.initial.origin,
            "seed": str(self.seed),
        }
        return Checkpoint(dict(trainer.model.state_dict()), metadata)

    def _built(self, checkpoint: Checkpoint, device: torch.device) -> nn.Module:
        model = self.original.untrained(self.dataset)
        model.load_state_dict(checkpoint.state_dict)
        return optimised_for(model, self.original.name, self.dataset.train.images.shape[1:], device)
