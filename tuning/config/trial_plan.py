"""What every trial of a study does, derived from its configuration once: space, starting points, seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from antisample.config import UnlearnConfig, plugins_used
from antisample.errors import ConfigError
from antisample.methods import find_method, method_names
from antisample.metrics import EARLIER_FAMILIES, metric_names
from antisample.models.config import ModelConfig
from antisample.plugins.discovery import Plugin
from antisample.seeds import derive
from search_spaces import SearchSpace, Value
from tuning.config.fidelity import is_known_each_epoch
from tuning.config.objectives import ELAPSED, Objective
from tuning.config.space import StudySpace, find_space, name_problems
from tuning.config.starting_points import RECIPE, StartingPoint, find_starting_points, recipes_of
from tuning.config.study import StudyConfig


@dataclass(frozen=True)
class TrialPlan:
    """A study whose names have been looked up.

    Attributes:
        config: The study.
        spaces: The search space, whole and without what is fixed; `epochs` is fixed where it is the fidelity.
        starting_points: What is tried first: published sets, or the method's defaults, and then recipes.
        trial_seeds: The seeds of every trial, one per replicate.
        plugins: The plug-ins that a trial needs on whatever machine it runs, in the versions of this one.
    """

    config: StudyConfig
    spaces: StudySpace
    starting_points: tuple[StartingPoint, ...]
    trial_seeds: tuple[int, ...]
    plugins: tuple[Plugin, ...] = ()

    @classmethod
    def of(cls, config: StudyConfig) -> "TrialPlan":
        """Looks up what a study names; reads the file of its search space.

        Raises:
            ConfigError: With every problem of names, fixed values, objectives, fidelity and replicates.
        """
        problems = _problems(config)
        if problems:
            raise ConfigError(problems)
        fixed = _settled(config)
        flips = config.model.recipe.horizontal_flip
        spaces = find_space(config.method, config.space, fixed, flips=flips)
        recipes = recipes_of(config.method, config.space, config.recipes)
        points = find_starting_points(config.method, spaces.searched, config.published, recipes, fixed)
        plugins = plugins_used(config.method, config.evaluation, config.data)
        return cls(config, spaces, tuple(points), _seeds(config, "replicate", config.replicates), plugins)

    @property
    def space(self) -> SearchSpace:
        """The parameters that are searched."""
        return self.spaces.searched

    @property
    def recipes(self) -> tuple[str, ...]:
        """Names of the recipes among the starting points."""
        return tuple(origin.removeprefix(RECIPE) for origin, _ in self.starting_points if origin.startswith(RECIPE))

    @property
    def rung_objectives(self) -> tuple[Objective, ...]:
        """The objectives that are known at a rung: some are computed only for finished models."""
        return rung_objectives(self.config)

    @property
    def full_fidelity(self) -> int:
        """Replicates or epochs of a trial that is not stopped."""
        return full_fidelity(self.config)

    @property
    def confirmation_seeds(self) -> tuple[int, ...]:
        """Seeds that no trial has used."""
        return _seeds(self.config, "confirmation", self.config.confirm_seeds)

    @property
    def finalist_seeds(self) -> tuple[int, ...]:
        """Seeds of the runs that finalists are chosen by, which neither trials nor confirmation use."""
        selection = self.config.selection
        runs_again = self.config.confirm_seeds and selection.finalists > 1 and selection.by == "rule"
        return _seeds(self.config, "finalist", selection.finalist_replicates // 2) if runs_again else ()

    @property
    def runs_after_the_search(self) -> int:
        """Runs with fresh seeds at most: of finalists, of the chosen trial and of the first starting point."""
        finals = self.config.selection.finalist_replicates if self.finalist_seeds else 0
        return finals + 2 * len(self.confirmation_seeds)

    def unlearn_config(self, params: dict[str, Any], seed: int, request: int = 0) -> UnlearnConfig:
        """The configuration of one unlearning with these searched parameters and one of the forget requests.

        Raises:
            ConfigError: If the method refuses the parameters.
        """
        config = self.config
        return UnlearnConfig.parse(
            {
                "data": config.data,
                "split": config.split,
                "model": config.model,
                "forget": config.forget[request],
                "after": config.after,
                "request": config.request,
                "method": {"name": config.method, **self.method_values(params)},
                "seed": seed,
                "device": config.device,
                "precision": config.precision,
                "evaluation": config.evaluation,
            }
        )

    def method_values(self, params: Mapping[str, Value]) -> dict[str, Value]:
        """The hyperparameters of a trial, fixed and searched; fixed ones that do not count with it are left out."""
        return self.spaces.in_force(self.config.fixed, params)

    def starting_config(self, request: int = 0) -> UnlearnConfig:
        """The first trial's unlearning of a forget request: what shared inputs are loaded from."""
        return self.unlearn_config(self.starting_points[0][1], self.trial_seeds[0], request)

    def request_of(self, replicate: int) -> int:
        """Which forget request a replicate does, by position: each in turn, so the first round covers all."""
        return replicate % len(self.config.forget)

    def with_model(self, model: ModelConfig) -> "TrialPlan":
        """The same with another configuration of the original model."""
        return replace(self, config=self.config.model_copy(update={"model": model}))

    def for_workers(self) -> "TrialPlan":
        """The plan as Ray's workers get it; see `StudyConfig.for_workers`."""
        return replace(self, config=self.config.for_workers())


def rung_objectives(config: StudyConfig) -> tuple[Objective, ...]:
    """See `TrialPlan.rung_objectives`."""
    if config.fidelity is None or config.fidelity.attribute == "replicates":
        return config.objectives
    return tuple(objective for objective in config.objectives if is_known_each_epoch(objective.metric))


def full_fidelity(config: StudyConfig) -> int:
    """Replicates or epochs of a trial that is not stopped; 0 for epochs of a method that has none."""
    if not _fidelity_parameters(config):
        return config.replicates
    fields = find_method(config.method).config_type.model_fields
    return int(config.fixed.get("epochs", fields["epochs"].default if "epochs" in fields else 0))


def _fidelity_parameters(config: StudyConfig) -> Sequence[str]:
    return ("epochs",) if config.fidelity is not None and config.fidelity.attribute == "epochs" else ()


def _settled(config: StudyConfig) -> dict[str, Value]:
    """The hyperparameters that are not searched, with their values."""
    return {**config.fixed, **dict.fromkeys(_fidelity_parameters(config), full_fidelity(config))}


def _seeds(config: StudyConfig, purpose: str, n: int) -> tuple[int, ...]:
    return tuple(derive(config.seed, purpose, index) % 2**31 for index in range(n))


def _problems(config: StudyConfig) -> list[str]:
    """Everything wrong with what a study names and with how its parts go together."""
    if config.method in method_names() and not find_method(config.method).config_type.model_fields.keys() - {"name"}:
        return [
            f"The method {config.method!r} has no hyperparameters, so there is nothing to search; "
            f"`antisample unlearn --method {config.method}` applies it."
        ]
    metrics = [objective.metric for objective in config.objectives]
    problems = name_problems(
        config.method, config.model.name, config.space, config.fixed, config.published, config.recipes
    )
    earlier = EARLIER_FAMILIES if config.after is not None else ()
    computed = metric_names(("classification", *config.evaluation.final, *earlier))
    problems += [
        f"The objective {metric!r} is not computed; add its family to `evaluation.final`."
        for metric in metrics
        if metric not in computed
    ]
    problems += [
        f"The constraint on {constraint.metric!r} cannot be checked; add its family to `evaluation.final`."
        for constraint in config.constraints
        if constraint.metric not in (*computed, ELAPSED)
    ]
    if config.fidelity is not None and not problems:
        limited = [constraint.metric for constraint in config.constraints]
        problems += config.fidelity.problems(
            full_fidelity(config), config.replicates, metrics, limited, len(config.forget)
        )
    is_known = config.method in method_names()
    if config.by_samples and is_known and not find_method(config.method).config_type.forgets_samples:
        problems.append(find_method(config.method).config_type.samples_refusal())
    return [*problems, *config.problems()]
