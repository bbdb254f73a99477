"""Configuration of one unlearning. It says nothing about searching."""

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, field_validator, model_serializer

from antisample.data.drawing import SplitConfig
from antisample.data.earlier_requests import EarlierRequests
from antisample.data.forget_request import ForgetRequest
from antisample.datasets import dataset_plugin
from antisample.datasets.config import DataConfig
from antisample.device import Precision
from antisample.errors import ConfigError
from antisample.methods import AntiSampleConfig, AnyMethodConfig, method_plugin
from antisample.metrics import EVAL_BATCH_SIZE, EvaluationConfig, family_plugin
from antisample.models.config import ModelConfig
from antisample.plain_text import plain_text
from antisample.plugins.discovery import Plugin
from antisample.validation.rules import problems_of
from antisample.validation.settings import Settings, shown


class RequestRecord(Settings):
    """What is noted of a request for the files of whoever answers it; nothing else depends on it.

    Attributes:
        reference: Of the request, such as its file number; no name of a person.
        operator: Who carries it out.
    """

    reference: str = Field(default="", max_length=200)
    operator: str = Field(default="", max_length=200)

    @field_validator("reference", "operator")
    @classmethod
    def _in_one_line(cls, text: str) -> str:
        if plain_text(text) != text:
            raise ValueError(f"must be one line of text that can be displayed, but got {shown(text)}")
        return text


class UnlearnConfig(Settings):
    """Everything that one unlearning needs.

    Attributes:
        data: The images.
        split: How validation images are held out.
        model: The original model.
        forget: What to forget.
        after: What the model has forgotten before, where it was unlearned already; `antisample.export.chain` reads it
            from the card of that.
        request: What is noted of the request on the card.
        method: The method with its hyperparameters; `name` selects it.
        seed: Random seed of the unlearning itself.
        device: `auto` uses a GPU if there is one; otherwise give `cpu`, `cuda` or, for example, `cuda:1`.
        precision: `bfloat16` trains about twice as fast on GPUs and on processors with AVX-512 BF16 or AMX, and
            slower on others; see `antisample.device.Precision`.
        evaluation: How metrics are computed.
    """

    data: DataConfig
    split: SplitConfig = SplitConfig()
    model: ModelConfig
    forget: ForgetRequest
    after: EarlierRequests | None = None
    request: RequestRecord | None = None
    method: AnyMethodConfig = AntiSampleConfig()
    seed: int = Field(default=0, ge=0)
    device: str = "auto"
    precision: Precision = "float32"
    evaluation: EvaluationConfig = EvaluationConfig()

    @model_serializer(mode="wrap")
    def _as_studies_hold_it(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves out what is not there: results are found by a digest of the configuration."""
        absent = {name for name in ("after", "request") if getattr(self, name) is None}
        return {name: value for name, value in handler(self).items() if name not in absent}

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
            "evaluation": (self.evaluation, self.evaluation.batch_size or EVAL_BATCH_SIZE),
        }
        return self.model_copy(
            update={
                name: part.model_copy(update={"batch_size": max(1, size >> times)})
                for name, (part, size) in sizes.items()
            }
        )


def validation_problems(error: ValidationError) -> list[str]:
    """One sentence a problem: the key, the rule and the value."""
    return problems_of(error.errors(include_url=False))


def plugins_used(method: str, evaluation: EvaluationConfig, data: DataConfig) -> tuple[Plugin, ...]:
    """The plug-ins among what an unlearning names: its method, its metrics and its data set.

    Args:
        method: Name of the method.
        evaluation: Names the metric families.
        data: Names the data set.
    """
    named = (method_plugin(method), *map(family_plugin, evaluation.final), dataset_plugin(data.source))
    return tuple(plugin for plugin in named if plugin is not None)
