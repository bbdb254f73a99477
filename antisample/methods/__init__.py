"""Unlearning methods by name. Adding one is a file beside this one and a line in `_METHODS`."""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from antisample.errors import ConfigError
from antisample.methods.anti_sample import AntiSample, AntiSampleConfig
from antisample.methods.base import MethodConfig, UnlearnContext, UnlearningMethod, UnlearningRun
from antisample.methods.finetune import FineTune, FineTuneConfig
from antisample.methods.gradient_ascent import GradientAscent, GradientAscentConfig
from antisample.methods.neggrad_plus import NegGradPlus, NegGradPlusConfig
from antisample.methods.random_labels import RandomLabels, RandomLabelsConfig
from antisample.methods.retrain import Retrain, RetrainConfig
from antisample.methods.unsir import Unsir, UnsirConfig
from antisample.models.original import OriginalModel

_METHODS: dict[str, UnlearningMethod] = {
    "antisample": AntiSample(),
    "finetune": FineTune(),
    "gradient_ascent": GradientAscent(),
    "neggrad_plus": NegGradPlus(),
    "random_labels": RandomLabels(),
    "retrain": Retrain(),
    "unsir": Unsir(),
}

if TYPE_CHECKING:
    AnyMethodConfig = MethodConfig
else:
    AnyMethodConfig = Annotated[
        reduce(or_, (method.config_type for method in _METHODS.values())), Field(discriminator="name")
    ]


def method_names() -> tuple[str, ...]:
    """The registered names."""
    return tuple(_METHODS)


def find_method(name: str) -> UnlearningMethod:
    """Finds a method by name.

    Raises:
        ConfigError: If there is none of that name.
    """
    if name not in _METHODS:
        raise ConfigError(f"`method` must be one of {', '.join(_METHODS)}, but got {name!r}.")
    return _METHODS[name]


def method_config(name: str, **values: Any) -> MethodConfig:
    """Builds the configuration of the method `name`; pydantic's ValidationError tells what is wrong."""
    return find_method(name).config_type(**values)


__all__ = [
    "AntiSampleConfig",
    "AnyMethodConfig",
    "FineTuneConfig",
    "GradientAscentConfig",
    "MethodConfig",
    "NegGradPlusConfig",
    "OriginalModel",
    "RandomLabelsConfig",
    "RetrainConfig",
    "UnlearnContext",
    "UnlearningMethod",
    "UnlearningRun",
    "UnsirConfig",
    "find_method",
    "method_config",
    "method_names",
]
