"""Configuration of a study: what to make forget, what to search, how long, and on what."""

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from antisample.config import DataConfig, ModelConfig, UnlearnConfig
from antisample.errors import ConfigError
from antisample.metrics import EvaluationConfig, metric_names
from antisample.seeds import derive
from antisample.splits import ForgetRequest, SplitConfig
from search_spaces import SearchSpace, Value
from tuning.names import find_space, find_starting_points, name_problems
from tuning.resources import GpuShare

_STORE = re.compile(r"(https?|sqlite|postgresql|mysql|mssql)(\+\w+)?://|databricks(://|$)")


def tracking_problem(uri: str) -> str | None:
    """What is wrong with the address of an MLflow store or server; None if it has the form of one."""
    if _STORE.match(uri):
        return None
    return f"must be a server such as http://HOST:5000 or a database such as sqlite:///mlflow.db, but got {uri!r}."


class Objective(BaseModel):
    """One thing to optimise.

    Attributes:
        metric: Name of a validation metric.
        direction: Whether smaller or larger is better.
        reference: Where the hypervolume starts to count; by default 0.10 for forget accuracy and confidence, the
            original model's value minus 0.10 for retain accuracy, and the original model's value otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    direction: Literal["minimize", "maximize"]
    reference: float | None = None

    @field_validator("metric")
    @classmethod
    def _known_and_honest(cls, metric: str) -> str:
        allowed = [name for name in metric_names() if name.startswith("validation/")]
        if metric in metric_names() and metric not in allowed:
            raise ValueError(f"an objective must be a validation metric, but got {metric!r}")
        if metric not in allowed:
            raise ValueError(f"a metric must be one of {', '.join(allowed)}, but got {metric!r}")
        return metric

    def sign(self) -> int:
        """1 where smaller is better, -1 where larger is."""
        return 1 if self.direction == "minimize" else -1


class SelectionConfig(BaseModel):
    """Which trial of the front is chosen: high retain accuracy among those that forget well enough; see `choose`.

    Attributes:
        max_forget_accuracy: Validation forget accuracy that counts as forgotten, in [0, 1].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_forget_accuracy: float = Field(default=0.01, ge=0, le=1)


class ResourceConfig(BaseModel):
    """What one trial gets.

    Attributes:
        cpus_per_trial: Cores, also the number of threads of torch.
        gpus_per_trial: See `GpuShare`.
        max_concurrent: Trials at once; by default as many as the machine holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus_per_trial: int = Field(default=1, ge=1)
    gpus_per_trial: GpuShare = "auto"
    max_concurrent: int | None = Field(default=None, ge=1)


class StudyConfig(BaseModel):
    """A study, completely.

    Attributes:
        name: Names the folder in `runs_dir` and the runs in MLflow.
        runs_dir: Where studies live.
        data: Which images.
        split: How validation is set apart.
        model: The original model.
        forget: What to forget.
        method: The unlearning method to tune.
        space: A packaged space or the path of a YAML file; by default the method's own.
        fixed: Values of the method's configuration that are not searched.
        published: Names of published sets to try first. The method's defaults are tried first if there are none.
        objectives: What to optimise; at least one.
        selection: How one trial of the front is chosen.
        n_trials: Trials to finish.
        time_budget_min: End after this many minutes even if trials are missing.
        max_failures: Failed trials are replaced up to this number; then the study ends.
        sampler: `auto`, `tpe`, `gp`, `nsga2`, `qmc`, `random`, or `package.module:Class`.
        seed: Seed of suggestions and of every trial.
        replicates: How often a trial unlearns, each time with another seed; its figures are the means. Replicate i
            has the same seed in every trial, so trials differ by their parameters alone.
        confirm_seeds: Fresh seeds with which the chosen and the published set are run again at the end.
        resources: What one trial gets.
        evaluation: How metrics are computed.
        device: See `UnlearnConfig.device`.
        tracking_uri: MLflow store or server; by default SQLite in `runs_dir`. `none` switches tracking off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    runs_dir: Path = Path("runs")
    data: DataConfig
    split: SplitConfig = SplitConfig()
    model: ModelConfig
    forget: ForgetRequest
    method: str = "antisample"
    space: str | None = None
    fixed: dict[str, Value] = {}
    published: tuple[str, ...] = ()
    objectives: tuple[Objective, ...] = Field(
        default=(
            Objective(metric="validation/forget_accuracy", direction="minimize"),
            Objective(metric="validation/retain_accuracy", direction="maximize"),
        ),
        min_length=1,
    )
    selection: SelectionConfig = SelectionConfig()
    n_trials: int = Field(default=50, ge=1)
    time_budget_min: float | None = Field(default=None, gt=0)
    max_failures: int = Field(default=10, ge=0)
    sampler: str = "auto"
    seed: int = Field(default=0, ge=0)
    replicates: int = Field(default=1, ge=1)
    confirm_seeds: int = Field(default=3, ge=0)
    resources: ResourceConfig = ResourceConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    device: str = "auto"
    tracking_uri: str | None = None

    @model_validator(mode="after")
    def _names_exist(self) -> "StudyConfig":
        metrics = [objective.metric for objective in self.objectives]
        problems = name_problems(self.method, self.model.name, self.space, self.fixed, self.published)
        computed = metric_names(("classification", *self.evaluation.final))
        problems += [
            f"The objective {metric!r} is not computed; add its family to `evaluation.final`."
            for metric in metrics
            if metric not in computed
        ]
        if len(set(metrics)) < len(metrics):
            problems.append(f"`objectives` must name each metric once, but got {metrics}.")
        if problems:
            raise ConfigError(problems)
        return self

    @field_validator("tracking_uri")
    @classmethod
    def _store_or_server(cls, uri: str | None) -> str | None:
        problem = tracking_problem(uri) if uri not in (None, "none") else None
        if problem is not None:
            raise ValueError(problem)
        return uri

    @property
    def directory(self) -> Path:
        """The study's folder."""
        return self.runs_dir / self.name

    def mlflow_uri(self) -> str | None:
        """The MLflow store: `tracking_uri`, or SQLite in `runs_dir`; None if tracking is off."""
        if self.tracking_uri == "none":
            return None
        return self.tracking_uri or f"sqlite:///{(self.runs_dir / 'mlflow.db').resolve()}"

    def search_space(self) -> SearchSpace:
        """The parameters that are searched."""
        return find_space(self.method, self.space, self.fixed)

    def starting_points(self) -> list[tuple[str, dict[str, Value]]]:
        """What is tried first: published sets, or the method's defaults. Pairs of origin and searched parameters."""
        return find_starting_points(self.method, self.search_space(), self.published)

    def unlearn_config(self, params: dict[str, Any], seed: int) -> UnlearnConfig:
        """The configuration of one unlearning with these searched parameters.

        Raises:
            ConfigError: If the method refuses the parameters.
        """
        return UnlearnConfig.parse(
            {
                "data": self.data,
                "split": self.split,
                "model": self.model,
                "forget": self.forget,
                "method": {"name": self.method, **self.fixed, **params},
                "seed": seed,
                "device": self.device,
                "evaluation": self.evaluation,
            }
        )

    def starting_config(self) -> UnlearnConfig:
        """The first trial's unlearning: what shared inputs are loaded from."""
        return self.unlearn_config(self.starting_points()[0][1], self.trial_seeds()[0])

    def trial_seeds(self) -> list[int]:
        """The seeds of every trial, one a replicate."""
        return [derive(self.seed, "replicate", index) % 2**31 for index in range(self.replicates)]

    def confirmation_seeds(self) -> list[int]:
        """Seeds that no trial has used."""
        return [derive(self.seed, "confirmation", index) % 2**31 for index in range(self.confirm_seeds)]
