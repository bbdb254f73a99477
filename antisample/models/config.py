"""Configuration: which original model."""

import math
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from antisample.checkpoints.channel_values import channel_values, check_lengths
from antisample.models.imagenet import IMAGENET_MODELS, has_imagenet_weights
from antisample.training.trainer import TrainingRecipe
from antisample.validation.settings import Settings


class ModelConfig(Settings):
    """Which original model.

    Attributes:
        name: A built-in model, or `package.module:function`.
        checkpoint: Checkpoint of the model; if omitted, it is trained on the data, with validation images held out.
        mean: Mean of the input per channel, for pixels scaled to [0, 1]; see `channel_values`. By default as stated
            in the checkpoint; if it states nothing, common normalisations are tried, see
            `antisample.models.normalisation`. A model that is trained here uses the mean of the data.
        std: Standard deviation of the input, likewise; given if and only if `mean` is.
        normalisation: Name of a common normalisation, instead of `mean` and `std`: `0..1`, `data`, `imagenet`,
            `-1..1` or `0..255`.
        recipe: How to train the model if there is not a checkpoint.
        initial_weights: Initial weights for training the original model and the retrained reference: `random`,
            `imagenet` (ResNet18 and MobileNet_v2; downloaded if they are not in torch hub's cache) or the path of
            a weights file. See `antisample.models.initial_weights`.
        arguments: Further arguments of the model's builder, by name, besides the numbers of classes and channels of
            the data: `{width: 64}`. See `antisample.models.custom.builder_call`.
        accept_original: Whether to continue with an original model that is no better than guessing or recognises
            nothing of what is to be forgotten. Otherwise it is refused.
        stages: Dotted names of the modules that are the network's stages, such as `layer1`, in any order; by default
            those that `antisample.models.stages` finds.
    """

    name: str
    checkpoint: Path | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    normalisation: Literal["0..1", "data", "imagenet", "-1..1", "0..255"] | None = None
    recipe: TrainingRecipe = TrainingRecipe()
    initial_weights: str = "random"
    arguments: dict[str, Any] = Field(default={})
    accept_original: bool = False
    stages: tuple[str, ...] = ()

    @field_validator("stages")
    @classmethod
    def _each_once(cls, stages: tuple[str, ...]) -> tuple[str, ...]:
        twice = [name for name in stages if stages.count(name) > 1]
        if twice:
            raise ValueError(f"must name each module once, but got {twice[0]!r} twice")
        return stages

    @model_serializer(mode="wrap")
    def _as_studies_hold_it(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves `stages` out where none are named: results are found by a digest of the configuration."""
        return {name: value for name, value in handler(self).items() if name != "stages" or value}

    @field_validator("arguments")
    @classmethod
    def _plain_arguments(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        for name, value in arguments.items():
            if not _is_plain(value):
                raise ValueError(
                    f"must hold plain values (numbers, text, lists, mappings), but got {name} = {value!r}"
                )
        return arguments

    @model_validator(mode="after")
    def _imagenet_for_its_models(self) -> "ModelConfig":
        if self.initial_weights == "imagenet" and not has_imagenet_weights(self.name):
            raise ValueError(
                f"`initial_weights` can be `imagenet` for {' and '.join(IMAGENET_MODELS)} alone, "
                f"but got the model {self.name!r}"
            )
        return self

    @field_validator("mean", "std", mode="before")
    @classmethod
    def _values_a_channel(cls, values: Any, info: ValidationInfo) -> tuple[float, ...] | None:
        return None if values is None else channel_values(str(info.field_name), values)

    @model_validator(mode="after")
    def _one_normalisation(self) -> "ModelConfig":
        if self.normalisation is not None and self.mean is not None:
            raise ValueError("`normalisation` must be omitted if `mean` and `std` are given")
        return self

    @model_validator(mode="after")
    def _mean_with_std(self) -> "ModelConfig":
        check_lengths(self.mean, self.std)
        return self


def _is_plain(value: Any) -> bool:
    """Whether a value can stand in a JSON file."""
    if isinstance(value, list):
        return all(_is_plain(part) for part in value)
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(part) for name, part in value.items())
    return value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))
