"""A model and data sets in memory as the core takes them: read, and checked to go together."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

from torch import Tensor, nn

from antisample.checkpoints.channel_values import checked_preprocessing
from antisample.data.drawing import SplitConfig
from antisample.data.forget_request import ForgetRequest
from antisample.data.splits import make_splits
from antisample.datasets.config import DataConfig
from antisample.errors import ConfigError
from antisample.models.config import ModelConfig
from antisample.models.masked_outputs import with_outputs_of
from antisample.models.normalisation import NORMALISATIONS, usual_normalisation
from antisample.models.original import OriginalModel
from antisample.objects.dataset import ObjectData, read_objects
from antisample.objects.original import copied_network, found_normalisation, original_in_memory, output_count
from antisample.objects.words import in_own_words
from antisample.types import Dataset, Preprocessing, Splits
from antisample.validation.settings import shown
from antisample.validation.spelling import did_you_mean

Normalisation = str | tuple[Sequence[float], Sequence[float]]
"""Name of a common normalisation, or mean and standard deviation with a value for each channel."""


@dataclass(frozen=True)
class Subject:
    """Objects in memory as the core takes them.

    Attributes:
        given: The caller's model.
        network: A copy of it, on the CPU.
        dataset: The data.
        original: The original model.
    """

    given: nn.Module
    network: nn.Module
    dataset: Dataset
    original: OriginalModel

    def model_config(self, *, accept_original: bool) -> ModelConfig:
        """What a configuration says of the model."""
        preprocessing = self.original.preprocessing
        return ModelConfig(
            name=self.original.name,
            mean=preprocessing.mean,
            std=preprocessing.std,
            accept_original=accept_original,
            stages=self.original.stages,
        )


def read_subject(
    data_config: DataConfig,
    split: SplitConfig,
    request: ForgetRequest,
    model: nn.Module,
    train: Any,
    test: Any,
    validation: Any,
    class_names: Sequence[str] | None,
    normalisation: Normalisation | None,
    stages: Sequence[str] = (),
) -> Subject:
    """Reads the objects and checks that they go together; see `forget`.

    Raises:
        AntisampleError: If they do not.
    """
    network = copied_network(model)
    data = read_objects(train, test, validation, data_config.cache_dir, class_names, by_samples=bool(request.samples))
    stated = _stated(normalisation, data)
    dataset = data.dataset(output_count(network, data))
    splits = make_splits(dataset, request, split, has_checkpoint=True)
    preprocessing = data.preprocessing
    notes: tuple[str, ...] = ()
    if isinstance(stated, str):
        preprocessing = usual_normalisation(stated, dataset)
    elif stated is not None:
        preprocessing = stated
    if preprocessing is None:
        preprocessing, notes = _tried(network, dataset, splits)
    original = original_in_memory(network, dataset, preprocessing)
    original = replace(original, notes=(*original.notes, *notes), stages=tuple(stages))
    return Subject(model, network, dataset, original)


def returned_model(subject: Subject, state_dict: Mapping[str, Tensor]) -> nn.Module:
    """A model of the class and on the device of the one that was given, with other weights, in eval mode.

    Args:
        subject: What was given.
        state_dict: The weights; those of masked outputs where the method masks.
    """
    weights = {name: value.detach().cpu() for name, value in state_dict.items()}
    model = with_outputs_of(copy.deepcopy(subject.network), weights)
    model.load_state_dict(weights)
    tensors: Iterable[Any] = (*subject.given.parameters(), *subject.given.buffers())
    place = next((each.device for each in tensors), None)
    return model.to(place).eval()


def check_request(classes: Any, samples: Any) -> None:
    """Checks that one of both is given, and that samples are positions.

    Raises:
        ConfigError: If not.
    """
    if (classes is None) == (samples is None):
        got = "neither" if classes is None else "both"
        raise ConfigError(f"Either `classes` or `samples` must be given, but got {got}.")
    if isinstance(samples, str | PathLike) or (
        isinstance(samples, Iterable) and any(isinstance(each, str) for each in samples)
    ):
        raise ConfigError(f"`samples` must be positions in `train`, from 0, but got {shown(samples)}.")


def _stated(normalisation: Normalisation | None, data: ObjectData) -> str | Preprocessing | None:
    """The normalisation that the caller states, checked."""
    if normalisation is None:
        return None
    if data.preprocessing is not None:
        raise ConfigError(
            "`normalisation` is for images of whole numbers, but got images of floats, which the model is given as "
            "they are; leave it out."
        )
    if isinstance(normalisation, str):
        if normalisation not in NORMALISATIONS:
            raise ConfigError(
                f"`normalisation` must be one of {', '.join(NORMALISATIONS)}, or a pair (mean, std), but got "
                f"{shown(normalisation)}.{did_you_mean(normalisation, NORMALISATIONS)}"
            )
        return normalisation
    return _mean_and_std(normalisation, data.train.images.shape[1])


def _mean_and_std(normalisation: Any, channels: int) -> Preprocessing:
    if not isinstance(normalisation, tuple | list) or len(normalisation) != 2:
        raise ConfigError(
            f"`normalisation` must be one of {', '.join(NORMALISATIONS)}, or a pair (mean, std), but got "
            f"{shown(normalisation)}."
        )
    try:
        preprocessing = checked_preprocessing(*normalisation)
    except ValueError as error:
        raise ConfigError(f"`normalisation`: {error}.") from error
    if len(preprocessing.mean) != channels:
        raise ConfigError(
            f"`normalisation` must have a value for each of the {channels} channels of the images, but got "
            f"{len(preprocessing.mean)}."
        )
    return preprocessing


def _tried(network: nn.Module, dataset: Dataset, splits: Splits) -> tuple[Preprocessing, tuple[str, ...]]:
    preprocessing, note = found_normalisation(network, dataset, splits)
    return preprocessing, (in_own_words(note),)
