"""Optuna samplers by name, and the translation of a search space into Optuna's distributions."""

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler

from antisample.errors import ConfigError, in_one_line
from antisample.plugins.discovery import Plugin
from antisample.plugins.registry import PluginRegistry
from antisample.seeds import derive
from antisample.validation.spelling import did_you_mean
from search_spaces import ChoiceParameter, Parameter, SearchSpace

SamplerBuilder = Callable[[int, int], BaseSampler]
"""Makes a sampler of the number of trials that come before its model is used, and a seed."""

_STARTUP, _STARTUP_AFTER_PORTFOLIO = 10, 4

# GP models what all trials have, and draws the rest at random; it would warn of each such draw.
_SAMPLERS: dict[str, SamplerBuilder] = {
    "tpe": lambda startup, seed: _tpe(startup, seed, group=False),
    "gp": lambda startup, seed: optuna.samplers.GPSampler(
        n_startup_trials=startup, seed=seed, warn_independent_sampling=False
    ),
    "nsga2": lambda startup, seed: optuna.samplers.NSGAIISampler(population_size=max(startup, 4), seed=seed),
    "qmc": lambda _, seed: optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False),
    "random": lambda _, seed: optuna.samplers.RandomSampler(seed=seed),
}


def _tpe(startup: int, seed: int, *, group: bool) -> BaseSampler:
    """TPE.

    Args:
        startup: Trials that come before its model is used.
        seed: Seed.
        group: Whether parameters that always go together are modelled together, which conditional ones need.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # of `group`
        return optuna.samplers.TPESampler(
            n_startup_trials=startup, multivariate=True, group=group, constant_liar=True, seed=seed
        )


def _accepted(name: str, plugin: Any) -> SamplerBuilder:
    """What an entry point names as a sampler, if it can be called as a `SamplerBuilder`."""
    if not callable(plugin):
        raise ConfigError("it must be called with the number of startup trials and a seed, but cannot be called")
    if name == "auto" or ":" in name:
        raise ConfigError("`auto` and names with a colon have a meaning of their own")

    def build(startup: int, seed: int) -> BaseSampler:
        return _built(name, lambda: plugin(startup, seed))

    return build


_REGISTRY = PluginRegistry("sampler", "sampler", _SAMPLERS, _accepted)


def sampler_names() -> tuple[str, ...]:
    """The names that `make_sampler` takes, beside import paths; those of plug-ins included."""
    return ("auto", *_REGISTRY.names())


def sampler_plugin(name: str) -> Plugin | None:
    """The plug-in that a sampler comes from; None for antisample's own, `auto` and import paths."""
    return _REGISTRY.plugin(name)


def resolve_sampler(name: str) -> str:
    """Turns `auto` into a name: tpe, which no other sampler surpassed where they were compared (docs/results.md)."""
    return "tpe" if name == "auto" else name


def make_sampler(
    name: str, space: SearchSpace, n_trials: int, seed: int, n_existing: int, *, after_portfolio: bool = False
) -> BaseSampler:
    """Builds a sampler.

    Args:
        name: One of `sampler_names()`, or `package.module:Class` of any Optuna sampler that takes `seed`.
        space: What is searched; `tpe` models groups of parameters if it has conditions.
        n_trials: Trials of the whole study; a quarter of them, at least 4, are a generation of `nsga2`.
        seed: Seed of the study.
        n_existing: Trials already in the study, so that a resumed search does not repeat its draws.
        after_portfolio: Whether the study begins with configurations that did well before: then 4 trials come before
            a model is used, else 10.

    Returns:
        The sampler.

    Raises:
        ConfigError: If there is no such sampler.
    """
    resolved = resolve_sampler(name)
    stream = derive(seed, "sampler", n_existing) % 2**32
    startup = _STARTUP_AFTER_PORTFOLIO if after_portfolio else _STARTUP
    if resolved == "tpe" and space.has_conditions:
        return _tpe(startup, stream, group=True)
    build = _REGISTRY.find(resolved)
    if build is not None:
        return build(n_trials // 4 if resolved == "nsga2" else startup, stream)
    if ":" not in resolved:
        raise ConfigError(
            f"`sampler` must be one of {', '.join(sampler_names())} or `package.module:Class`, but got {name!r}."
            f"{did_you_mean(name, sampler_names())}"
        )
    module_name, _, attribute = resolved.partition(":")
    return _built(name, lambda: getattr(importlib.import_module(module_name), attribute)(seed=stream))


def _built(name: str, build: Callable[[], Any]) -> BaseSampler:
    try:
        sampler = build()
    except (Exception, SystemExit) as error:  # whatever a module of the user's may raise
        raise ConfigError(f"`sampler` {name!r} cannot be built: {in_one_line(error)}.") from error
    if not isinstance(sampler, BaseSampler):
        raise ConfigError(f"`sampler` {name!r} must be an Optuna sampler, but got {type(sampler).__name__}.")
    return sampler


def distribution(parameter: Parameter) -> BaseDistribution:
    """The Optuna distribution that suggests exactly the values a parameter holds."""
    if isinstance(parameter, ChoiceParameter):
        return CategoricalDistribution(parameter.choices)
    if parameter.integer:
        return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log)


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """One distribution a parameter."""
    return {name: distribution(parameter) for name, parameter in space.parameters.items()}
