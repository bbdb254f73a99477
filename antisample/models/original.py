"""The original model: what has to forget."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from antisample.models import build_model, code_digest, optimised_for
from antisample.models.custom.outputs import take_logits
from antisample.models.in_memory import code_digest_in_memory, fresh_copy
from antisample.models.initial_weights import RANDOM_WEIGHTS, InitialWeights
from antisample.models.mapped_weights import as_bytes, as_tensors
from antisample.models.masked_outputs import with_outputs_of
from antisample.models.stages import stage_names
from antisample.seeds import derive
from antisample.types import Dataset, Preprocessing


@dataclass(frozen=True)
class OriginalModel:
    """The trained model that has to forget.

    Attributes:
        name: As `antisample.models.build_model` takes it.
        state_dict: Weights on the CPU; never changed.
        preprocessing: What the model expects of its input.
        fingerprint: Hexadecimal digest of the weights.
        initial: What a retraining starts from, as its own training did; that of a given checkpoint is not known.
        arguments: Of the builder, likewise.
        notes: What a person should know of how it was built and read, in sentences.
        stages: Dotted names of the modules that are its stages, where the user has named them.
        network: The network itself, on the CPU, where it was handed over as an object; never changed.
    """

    name: str
    state_dict: dict[str, Tensor]
    preprocessing: Preprocessing
    fingerprint: str
    initial: InitialWeights = RANDOM_WEIGHTS
    arguments: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    network: nn.Module | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "state_dict": as_bytes(self.state_dict)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "state_dict": as_tensors(state["state_dict"])})

    def untrained(self, dataset: Dataset) -> nn.Module:
        """The same architecture with fresh weights from torch's global random state, on the CPU."""
        if self.network is not None:
            model = fresh_copy(self.network)
            model.register_forward_hook(take_logits)
            return model
        size = dataset.train.images.shape[2:]
        return build_model(self.name, dataset.n_classes, dataset.channels, self.arguments, size)

    def fresh_model(self, dataset: Dataset, seed: int) -> nn.Module:
        """An untrained model as a retraining starts from it; see `InitialWeights.fresh_model`."""
        if self.network is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derive(seed, "initial weights"))
                return self.untrained(dataset)
        size = dataset.train.images.shape[2:]
        return self.initial.fresh_model(self.name, dataset.n_classes, dataset.channels, seed, self.arguments, size)

    def code_digest(self) -> str | None:
        """Digest of the code behind a network of the user's own; see `antisample.models.code_digest`."""
        return code_digest(self.name) if self.network is None else code_digest_in_memory(self.network)

    def fitting(self, dataset: Dataset, state_dict: dict[str, Tensor]) -> nn.Module:
        """The same architecture with fresh weights, and with the output module that these weights belong to."""
        return with_outputs_of(self.untrained(dataset), state_dict)

    def with_weights(self, dataset: Dataset, state_dict: dict[str, Tensor]) -> nn.Module:
        """The same architecture with weights of an unlearned model, on the CPU; see `fitting`."""
        model = self.fitting(dataset, state_dict)
        model.load_state_dict(state_dict)
        return model

    def build(self, dataset: Dataset, device: torch.device) -> nn.Module:
        """A fresh copy with the original weights on `device`."""
        model = self.with_weights(dataset, self.state_dict)
        return optimised_for(model, self.name, dataset.train.images.shape[1:], device)

    def stage_names(self, dataset: Dataset) -> tuple[str, ...]:
        """The modules that are its stages, in order; see `antisample.models.stages.stage_names`.

        Raises:
            ConfigError: If a stage cannot be one, or there are none.
        """
        return stage_names(self.name, lambda: self.untrained(dataset), dataset.train.images.shape[1:], self.stages)
