"""Configuration of a reproduction: which protocol, methods and seeds, on which model and data."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from antisample.config import validation_problems
from antisample.data.drawing import SplitConfig
from antisample.data.forget_request import ClassNames, ForgetRequest, forget_classes
from antisample.datasets.config import DataConfig
from antisample.errors import ConfigError
from antisample.methods import find_method, method_names
from antisample.metrics import EvaluationConfig
from antisample.models import check_name
from antisample.models.config import ModelConfig
from antisample.seeds import numpy_stream
from antisample.validation.settings import Settings
from search_spaces import SpaceError, published_set
from tuning.config.resources import GpuShare
from tuning.driver.capacity import TrialResources, this_machine

RETRAIN = "retrain"
_ALL_UP_TO = 100
_RANDOM_CLASSES = 10


class ReproductionConfig(Settings):
    """A reproduction, completely.

    Attributes:
        out: Where results, table and pictures go.
        protocol: `single-class` forgets one class after another; `multi-class` random sets of classes.
        data: Which images.
        split: How validation is set apart.
        model: The original model; its recipe also trains the retrained references.
        retain: Percent of each retain class that methods fine-tune on, in (0, 100]; published 30 and 100.
        methods: Names, or `antisample@SET` for a published set; plain `antisample` takes the published set of this
            model, data set and percentage if there is one.
        classes: Single-class: labels or names; None means every class, or 10 random ones if there are over 100.
        all_classes: Single-class: every class, however many there are.
        sizes: Multi-class: how many classes at once.
        draws: Multi-class: how many different random sets of each size; fewer if there are fewer.
        seeds: How often every method runs on every request.
        reference_seeds: References trained for each request; repetition i is compared with number i modulo this.
        values: Hyperparameters by method, in place of published values and defaults.
        seed: Seed of everything drawn.
        device: See `UnlearnConfig.device`.
        cpus_per_job: Cores, also torch threads, of one job.
        gpus_per_job: See `GpuShare`.
        evaluation: How metrics are computed.
    """

    out: Path
    protocol: Literal["single-class", "multi-class"] = "single-class"
    data: DataConfig
    split: SplitConfig = SplitConfig()
    model: ModelConfig
    retain: float = Field(default=100, gt=0, le=100)
    methods: tuple[str, ...] = Field(default=("mask", "antisample", "unsir", "finetune", RETRAIN), min_length=1)
    classes: ClassNames | None = Field(default=None, min_length=1)
    all_classes: bool = False
    sizes: tuple[int, ...] = Field(default=(2, 4, 7), min_length=1)
    draws: tuple[Annotated[int, Field(ge=1)], ...] = (10, 5, 3)
    seeds: int = Field(default=1, ge=1)
    reference_seeds: int = Field(default=1, ge=1)
    values: dict[str, dict[str, Any]] = Field(default_factory=dict)
    seed: int = Field(default=0, ge=0)
    device: str = "auto"
    cpus_per_job: int = Field(default=1, ge=1)
    gpus_per_job: GpuShare = "auto"
    evaluation: EvaluationConfig = EvaluationConfig()

    @classmethod
    def parse(cls, values: dict[str, Any]) -> "ReproductionConfig":
        """Validates plain values.

        Raises:
            ConfigError: With every problem found.
        """
        try:
            config = cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(validation_problems(error)) from error
        problems: list[str] = []
        try:
            check_name(config.model.name)
        except ConfigError as error:
            problems += error.problems
        if len(config.sizes) != len(config.draws):
            problems.append(
                f"`draws` must have {len(config.sizes)} values, one for each size, but got {config.draws}."
            )
        tunable = [name for name in method_names() if name != RETRAIN]
        if unknown := [name for name in config.values if name not in tunable]:
            hint = "; `model.recipe` defines how references are trained" if unknown[0] == RETRAIN else ""
            problems.append(f"`values` must name methods ({', '.join(tunable)}), but got {unknown[0]!r}{hint}.")
        if config.protocol == "multi-class" and (config.classes is not None or config.all_classes):
            problems.append("`classes` must be omitted with the protocol multi-class, which draws its own.")
        try:
            config.worker_share()
        except ConfigError as error:
            problems += error.problems
        for label in config.methods:
            try:
                config.method_values(label, Path(config.data.source).name)
            except (ConfigError, SpaceError) as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        return config

    def worker_share(self) -> TrialResources:
        """What one job takes.

        Raises:
            ConfigError: If this machine has not got it.
        """
        return TrialResources.of(
            [this_machine()], self.cpus_per_job, self.gpus_per_job, self.device, "cpus_per_job", "gpus_per_job"
        )

    def method_values(self, label: str, dataset_name: str) -> dict[str, Any]:
        """The method's configuration that a label of `methods` stands for.

        Raises:
            ConfigError: If there is no such method, or a value is refused.
            SpaceError: If there is no such published set.
        """
        name, _, set_name = label.partition("@")
        fields = find_method(name).config_type.model_fields
        values: dict[str, Any] = {}
        if set_name and name != "antisample":
            raise ConfigError([f"`methods` can only use published sets for antisample, but got {label!r}."])
        if set_name:
            values = dict(published_set(set_name).parameters)
        elif name == "antisample":
            try:
                values = dict(published_set(f"{self.model.name}/{dataset_name}/{self.retain:g}").parameters)
            except SpaceError:
                values = {}
        if name == RETRAIN:
            values = self.model.recipe.model_dump()
        elif name != "gradient_ascent" and "retain_fraction" in fields:
            values["retain_fraction"] = self.retain / 100
        values = {"name": name, **values, **self.values.get(name, {})}
        try:
            find_method(name).config_type.model_validate(values)
        except ValidationError as error:
            raise ConfigError([f"{label}: {problem}" for problem in validation_problems(error)]) from error
        return values

    def requests(self, class_names: tuple[str, ...]) -> list[tuple[int, ...]]:
        """The forget requests of the protocol, as ascending labels.

        Raises:
            ConfigError: If a class does not exist, or a size leaves no class.
        """
        if self.protocol == "single-class":
            if self.classes is not None:
                problems: list[str] = []
                chosen = []
                for name in self.classes:
                    try:
                        chosen.append(forget_classes(ForgetRequest(classes=(name,)), class_names, "classes"))
                    except ConfigError as error:
                        problems += error.problems
                if problems:
                    raise ConfigError(problems)
                return list(dict.fromkeys(chosen))
            if self.all_classes or len(class_names) <= _ALL_UP_TO:
                return [(label,) for label in range(len(class_names))]
            drawn = numpy_stream(self.seed, "random classes").permutation(len(class_names))[:_RANDOM_CLASSES]
            return [(int(label),) for label in sorted(drawn)]
        if wrong := [size for size in self.sizes if not 1 <= size < len(class_names)]:
            raise ConfigError(f"`sizes` must be in [1, {len(class_names) - 1}], but got {wrong[0]}.")
        requests = []
        for size, draws in zip(self.sizes, self.draws, strict=True):
            rng = numpy_stream(self.seed, "random sets of classes", size)
            sets: list[tuple[int, ...]] = []
            while len(sets) < min(draws, math.comb(len(class_names), size)):
                one = tuple(sorted(int(c) for c in rng.permutation(len(class_names))[:size]))
                if one not in sets:
                    sets.append(one)
            requests += sets
        return requests
