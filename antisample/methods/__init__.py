"""Unlearning methods by name.

A new one is a file beside this one and a line in `_METHODS`, or an entry point `antisample.methods` of another
package.
"""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import SerializeAsAny, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from antisample.errors import ConfigError
from antisample.methods.anti_sample import AntiSample, AntiSampleConfig
from antisample.methods.base import MethodConfig, UnlearnContext, UnlearningMethod, UnlearningRun
from antisample.methods.filtration import Filtration, FiltrationConfig
from antisample.methods.finetune import FineTune, FineTuneConfig
from antisample.methods.gradient_ascent import GradientAscent, GradientAscentConfig
from antisample.methods.head import HeadConfig, HeadDistillation
from antisample.methods.mask import Mask, MaskConfig
from antisample.methods.neggrad_plus import NegGradPlus, NegGradPlusConfig
from antisample.methods.random_labels import RandomLabels, RandomLabelsConfig
from antisample.methods.retrain import Retrain, RetrainConfig
from antisample.methods.unsir import Unsir, UnsirConfig
from antisample.models.original import OriginalModel
from antisample.plugins.discovery import Plugin
from antisample.plugins.registry import PluginRegistry
from antisample.validation.settings import unusable
from antisample.validation.spelling import did_you_mean

_METHODS: dict[str, UnlearningMethod] = {
    "antisample": AntiSample(),
    "filtration": Filtration(),
    "finetune": FineTune(),
    "gradient_ascent": GradientAscent(),
    "head": HeadDistillation(),
    "mask": Mask(),
    "neggrad_plus": NegGradPlus(),
    "random_labels": RandomLabels(),
    "retrain": Retrain(),
    "unsir": Unsir(),
}


def _accepted(name: str, plugin: Any) -> UnlearningMethod:
    """What an entry point names as a method, if it is one: a class without arguments, or an instance."""
    method = plugin() if isinstance(plugin, type) else plugin
    config_type = getattr(method, "config_type", None)
    if not (isinstance(config_type, type) and issubclass(config_type, MethodConfig)):
        raise ConfigError("its `config_type` must be a subclass of `MethodConfig`")
    if not callable(getattr(method, "prepare", None)):
        raise ConfigError("it must have a method `prepare`")
    default = config_type.model_fields["name"].default
    if default != name:
        raise ConfigError(f"the default of `name` in its configuration must be {name!r}, but is {default!r}")
    config_type.model_validate({})  # every hyperparameter has a default: a study tries them first
    return method  # type: ignore[no-any-return]


_REGISTRY = PluginRegistry("method", "method", _METHODS, _accepted)


def method_names() -> tuple[str, ...]:
    """The registered names, those of plug-ins included."""
    return _REGISTRY.names()


def find_method(name: str) -> UnlearningMethod:
    """Finds a method by name.

    Raises:
        ConfigError: If there is none of that name, or it is a plug-in that cannot be used.
    """
    method = _REGISTRY.find(name)
    if method is None:
        names = method_names()
        meant = did_you_mean(name, names)
        raise ConfigError(f"`method` must be one of {', '.join(names)}, but got {name!r}.{meant}")
    return method


def method_plugin(name: str) -> Plugin | None:
    """The plug-in that a method comes from; None for antisample's own."""
    return _REGISTRY.plugin(name)


def method_config(name: str, **values: Any) -> MethodConfig:
    """Builds the configuration of the method `name`; pydantic's ValidationError tells what is wrong."""
    return find_method(name).config_type(**values)


def _by_name(value: Any, handler: ValidatorFunctionWrapHandler) -> MethodConfig:
    """Validates a configuration as that of the method which its `name` says."""
    if not isinstance(value, dict | MethodConfig):
        return handler(value)  # type: ignore[no-any-return]
    given = value if isinstance(value, dict) else {"name": value.name}
    name = given.get("name")
    if not isinstance(name, str) or unusable(name) is not None:
        return handler({key: one for key, one in given.items() if key == "name"})  # type: ignore[no-any-return]
    try:
        method = _REGISTRY.find(name)
    except ConfigError as error:
        raise ValueError(error.problems[0].removeprefix("`method` ").rstrip(".")) from error
    if method is None:
        tags = ", ".join(map(repr, method_names()))
        raise PydanticCustomError(
            "union_tag_invalid",
            "there is no such method",
            {"discriminator": "'name'", "tag": name, "expected_tags": tags},
        )
    return method.config_type.model_validate(value)


if TYPE_CHECKING:
    AnyMethodConfig = MethodConfig
else:
    AnyMethodConfig = Annotated[SerializeAsAny[MethodConfig], WrapValidator(_by_name)]


__all__ = [
    "AntiSampleConfig",
    "AnyMethodConfig",
    "FiltrationConfig",
    "FineTuneConfig",
    "GradientAscentConfig",
    "HeadConfig",
    "MaskConfig",
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
    "method_plugin",
]
