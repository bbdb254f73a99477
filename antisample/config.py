"""Configuration of one unlearning. It says nothing about searching."""

import math
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from antisample.checkpoints.channel_values import channel_values, check_lengths
from antisample.data.forget_request import ForgetRequest
from antisample.data.splits import SplitConfig
from antisample.device import Precision
from antisample.errors import ConfigError
from antisample.methods import AntiSampleConfig, AnyMethodConfig, method_names
from antisample.metrics import IMAGES_A_PASS, EvaluationConfig
from antisample.models.imagenet import IMAGENET_MODELS, has_imagenet_weights
from antisample.storage.file_store import checked_place, is_object_store
from antisample.training.trainer import TrainingRecipe
from antisample.validation.rules import problems_of
from antisample.validation.settings import Settings


class DataConfig(Settings):
    """Which images.

    Attributes:
        source: A registered data set, or the path of a folder (images by class, or Parquet files) or Parquet file.
        root: Where torchvision data sets lie, or are downloaded to; the folder of casia-webface.
        download: Whether torchvision may download into `root`.
        image_size: Resize images to this many pixels; None keeps their size (64 for casia-webface).
        cache_dir: Where decoded images, original models, retrained references and neighbours are kept: a folder, or
            an object store such as s3://bucket/cache, of which each machine keeps a copy; see `Cache.at`.
    """

    source: str
    root: Path | None = None
    download: bool = False
    image_size: int | None = Field(default=None, ge=1, le=16_384)
    cache_dir: Path | str = Path("runs/cache")

    @field_validator("cache_dir")
    @classmethod
    def _folder_or_object_store(cls, place: Path | str) -> Path | str:
        return checked_place(str(place)) if is_object_store(place) else Path(place)


class ModelConfig(Settings):
    """Which original model.

    Attributes:
        name: A registered model, or `package.module:function`.
        checkpoint: Its weights; without it the model is trained on the data, validation images held out.
        mean: Mean of the input, a value for each channel, of pixels scaled to [0, 1]; see `channel_values`. By
            default what the checkpoint states; where it states nothing, the usual normalisations are tried, see
            `antisample.models.normalisation`. A model that is trained here gets the data's.
        std: Standard deviation of the input, likewise; given if and only if `mean` is.
        normalisation: A usual normalisation by name, in the place of `mean` and `std`: `0..1`, `data`, `imagenet`,
            `-1..1` or `0..255`.
        recipe: How to train it where there is no checkpoint.
        initial_weights: Where training starts, of the original and of the retrained reference alike: `random`,
            `imagenet` (ResNet18 and MobileNet_v2; downloaded where torch hub's cache lacks them) or the path of
            a weights file. See `antisample.models.initial_weights`.
        arguments: What the model's builder gets beside the numbers of classes and channels of the data, by name:
            `{width: 64}`. See `antisample.models.custom.builder_call`.
        accept_original: Whether to go on with an original model that is not better than guessing, or recognises
            nothing of what is to be forgotten. Otherwise it is refused.
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
            raise ValueError("`normalisation` must be left out where `mean` and `std` are given")
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


class UnlearnConfig(Settings):
    """Everything that one unlearning needs.

    Attributes:
        data: Which images.
        split: How validation is set apart.
        model: The original model.
        forget: What to forget.
        method: The method with its hyperparameters; `name` selects it.
        seed: Seed of all random draws of the unlearning itself.
        device: `auto` takes a GPU where there is one; else `cpu`, `cuda`, `cuda:1`.
        precision: `bfloat16` trains about twice as fast on GPUs and on processors with AVX-512 BF16 or AMX, and
            slower on others; see `antisample.device.Precision`.
        evaluation: How metrics are computed.
    """

    data: DataConfig
    split: SplitConfig = SplitConfig()
    model: ModelConfig
    forget: ForgetRequest
    method: AnyMethodConfig = AntiSampleConfig()
    seed: int = Field(default=0, ge=0)
    device: str = "auto"
    precision: Precision = "float32"
    evaluation: EvaluationConfig = EvaluationConfig()

    @classmethod
    def parse(cls, values: dict[str, Any], source: str | None = None) -> "UnlearnConfig":
        """Validates plain values.

        Raises:
            ConfigError: With every problem found.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(validation_problems(error), source) from error

    def with_batches_halved(self, times: int) -> "UnlearnConfig":
        """The same with half the batch so many times, of training and of evaluation: a GPU may be too small.

        Smaller batches in training are other optimiser steps; in evaluation they change nothing.
        """
        if not times:
            return self
        method: Any = self.method
        sizes: dict[str, tuple[Any, int]] = {
            "method": (method, method.batch_size),
            "evaluation": (self.evaluation, self.evaluation.batch_size or IMAGES_A_PASS),
        }
        return self.model_copy(
            update={
                name: part.model_copy(update={"batch_size": max(1, size >> times)})
                for name, (part, size) in sizes.items()
            }
        )


def validation_problems(error: ValidationError) -> list[str]:
    """One sentence a problem: the key, the rule and the value."""
    methods = set(method_names())
    errors: list[dict[str, Any]] = []
    for each in error.errors(include_url=False):
        place = each["loc"]
        if place[:1] == ("method",) and len(place) > 1 and place[1] in methods:  # no key, but which kind of `method`
            place = (place[0], *place[2:])
        errors.append({**each, "loc": place})
    return problems_of(errors)
