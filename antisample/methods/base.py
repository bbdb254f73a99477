"""What an unlearning method is: something that prepares a run, which is then trained epoch by epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import torch
from torch import nn

from antisample.data.loader import Normaliser
from antisample.device import Precision
from antisample.generation.neighbour_table import NeighbourTable
from antisample.models.original import OriginalModel
from antisample.types import Dataset, Splits
from antisample.validation.settings import Settings


class MethodConfig(Settings):
    """Base of every method's configuration; subclasses add a literal `name` and their hyperparameters.

    Attributes:
        name: Of the method.
        forgets_samples: Whether the method can forget single images of a class, and not the whole class alone.
        on_samples: Why it does not, as the rest of a sentence about the method.
    """

    name: str
    forgets_samples: ClassVar[bool] = True
    on_samples: ClassVar[str] = "forgets classes"

    @classmethod
    def samples_refusal(cls) -> str:
        """Why a request by samples is refused, in a sentence."""
        name = cls.model_fields["name"].default
        return f"The method {name!r} {cls.on_samples}, so `forget` must name classes."

    @property
    def needs_neighbours(self) -> bool:
        """Whether the method looks for farthest neighbours, which are then found once for all of its runs."""
        return False


@dataclass(frozen=True)
class UnlearnContext:
    """Everything a method may use. It holds no test images' positions that a method could train on by mistake.

    Attributes:
        dataset: The data; methods read its training split.
        splits: Which training images to forget and which to keep.
        original: The model that has to forget.
        device: Where to compute.
        seed: Seed of every random draw of the run.
        precision: Of the training.
        neighbours: By label to forget, the farthest retain images, where they are known; else they are looked for.
    """

    dataset: Dataset
    splits: Splits
    original: OriginalModel
    device: torch.device
    seed: int
    precision: Precision = "float32"
    neighbours: Mapping[int, NeighbourTable] = field(default_factory=dict)

    def normaliser(self) -> Normaliser:
        """Maps uint8 images on the device to the model's input."""
        return Normaliser(self.original.preprocessing, self.device)


class UnlearningRun(Protocol):
    """One unlearning under way. `antisample.training.trainer.Trainer` is the usual one.

    Attributes:
        model: The model as it is after the last finished epoch, on the device.
        epochs: How many epochs there are; 0 where preparing the run does all there is to do.
        epochs_done: How many are finished.
    """

    model: nn.Module
    epochs: int
    epochs_done: int

    def run_epoch(self) -> float:
        """Does the next epoch and returns its mean training loss."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to continue: tensors, numbers, strings, lists and dictionaries only."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a saved state of a run that was prepared with the same context and configuration."""
        ...


class UnlearningMethod(Protocol):
    """A plug-in: one file in this folder and one line in the registry.

    Attributes:
        config_type: Its configuration; the literal default of the field `name` is the method's name.
    """

    config_type: ClassVar[type[MethodConfig]]

    def prepare(self, context: UnlearnContext, config: Any) -> UnlearningRun:
        """Does all work that comes before the first epoch, such as generating anti-samples.

        Args:
            context: Data, model, device and seed.
            config: An instance of `config_type`.

        Returns:
            A run at epoch 0; the run of a method without epochs is at its end. The same arguments give the same run.
        """
        ...
