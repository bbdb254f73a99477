"""Configuration of a study: what to make forget, what to search, how long, and on what."""

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, field_serializer, field_validator, model_validator

from antisample.config import RequestRecord
from antisample.data.drawing import SplitConfig
from antisample.data.earlier_requests import EarlierRequests
from antisample.data.forget_request import ForgetRequest
from antisample.datasets.config import DataConfig
from antisample.device import Precision
from antisample.metrics import EvaluationConfig
from antisample.models.config import ModelConfig
from antisample.storage.file_store import Place
from antisample.validation.addresses import without_secrets
from antisample.validation.settings import Settings, shown
from search_spaces import Value, space_names
from tuning.config.budget import BudgetValue
from tuning.config.database_address import database_problem
from tuning.config.fidelity import FidelityConfig
from tuning.config.objectives import Constraint, Objective, default_objectives
from tuning.config.resources import ResourceConfig
from tuning.config.selection import SelectionConfig
from tuning.config.tracking_address import tracking_problem

_MOST_SAMPLES = 90_000

USUAL_TRIALS = 50
"""Trials of a study that says neither how many nor what they may cost."""

_LONGEST_NAME = 200
"""A file name may have 255 bytes; files beside a study's folder have longer names than the folder."""


def own_space(method: str) -> str | None:
    """Name of a method's own packaged space; None if it has none."""
    return method if method in space_names() else None


class StudyConfig(Settings):
    """A study, completely.

    Attributes:
        name: Name of the study's directory in `runs_dir` and of its runs in MLflow.
        runs_dir: Directory of all studies.
        storage_path: As in Ray: where workers write checkpoints and models, in a folder with the study's name; the
            table and the report are copied there. A shared folder or s3://bucket/studies; by default the directory in
            `runs_dir`.
        data: The images.
        split: How validation images are held out.
        model: The original model.
        forget: What to forget. With several requests, each trial runs all of them, each in replicates of its own,
            and is judged by the means, so the search finds hyperparameters that work for all requests. Either all
            requests are for classes, or all are for samples.
        after: Card of an earlier unlearning (card.json, or the model file beside it); its model is the original here.
            What it and the requests before it have forgotten is in neither forget nor retain images, and is checked
            to be still forgotten; the data may lack it. `model.name` must be the same.
        request: What is noted of the request on the card of an unlearned model: `reference` and `operator`.
        method: The unlearning method to tune.
        space: A packaged search space or the path of a YAML file; by default the method's own, or the one that the
            study was begun with.
        fixed: Hyperparameters of the method that are not searched, with their values.
        published: Names of published sets to try first. If there are none, the method's defaults are tried first.
        recipes: Whether to try the recipes of the method that fit into the space, after the first of these sets, or
            their names. By default true with the method's own space, or what the study was begun with.
        objectives: What to optimise; at least one. By default, low forget accuracy (for samples, low forget gap) and
            high retain accuracy, and for classes low `probe_left`, unless the probe is uninformative on the data.
        constraints: Limits that a trial must satisfy to be on the front. With the default objectives for classes, a
            trial must keep a validation retain accuracy of at most 0.10 less than a mask, since a destroyed network
            has forgotten deeply, too.
        fidelity: How underperforming trials are stopped early; by default every trial runs to completion.
        selection: How one trial of the front is chosen.
        budget: What the request may cost: a number of retrainings, or minutes such as `30 min`. Trials, runs of
            finalists and runs with fresh seeds count, with their evaluation; the search leaves a share for its end.
        n_trials: Number of trials to finish; by default 50, and with a budget as many as it allows. Where both are
            given, the search ends with the first of them.
        time_budget_min: Stop after this many minutes even if fewer trials have finished.
        max_failures: Number of failed trials that are replaced; after more, the study ends.
        max_retries: How often a trial whose worker failed is continued under its number before it fails.
        sampler: `auto`, `tpe`, `gp`, `nsga2`, `qmc`, `random`, or `package.module:Class`.
        seed: Seed of the sampler and of every trial.
        replicates: Number of unlearning runs per trial, each with its own seed and the next of the forget requests;
            the metrics of the trial are their means. Replicate i has the same request and seed in every trial, so
            trials only differ in their hyperparameters. By default one per request, and always a multiple of their
            number.
        confirm_seeds: Number of fresh seeds for re-running the chosen trial and the published set at the end.
        resources: Resources per trial.
        memory: Where earlier requests are looked up: up to five configurations that did best over them are tried
            after the published sets. `auto` takes the studies in `runs_dir` and what is packaged, `none` nothing; a
            folder of studies or a memory file (see `antisample memory export`) can be named instead. The list is
            settled when the study begins.
        evaluation: How metrics are computed.
        device: `auto` uses a GPU if there is one; otherwise give `cpu`, `cuda` or, for example, `cuda:1`.
        precision: `float32`, or `bfloat16`, which trains about twice as fast on GPUs and on processors with AVX-512
            BF16 or AMX, and slower on others.
        tracking_uri: MLflow store or server; by default SQLite in `runs_dir`. `none` disables tracking.
        storage: Where the study itself is stored: `postgresql://USER@HOST:5432/DATABASE`, or by default a journal in
            its directory. Put a password in `~/.pgpass`, which all PostgreSQL clients read, not in the address.
        study_name: Unique name of the study in `storage`; by default `name`. It does not change when the directory is
            renamed.
        log_model: Whether to log the chosen model to MLflow; its export takes about ten seconds at the end.
    """

    name: str
    runs_dir: Path = Path("runs")
    storage_path: Place | None = None
    data: DataConfig
    split: SplitConfig = SplitConfig()
    model: ModelConfig
    forget: tuple[ForgetRequest, ...] = Field(min_length=1)
    after: EarlierRequests | None = None
    request: RequestRecord | None = None
    method: str = "antisample"
    space: str | None = Field(default_factory=lambda values: own_space(values["method"]))
    fixed: dict[str, Value] = Field(default_factory=dict)
    published: tuple[str, ...] = ()
    recipes: bool | tuple[str, ...] | None = None
    memory: str = Field(default="auto", min_length=1)
    evaluation: EvaluationConfig = EvaluationConfig()
    objectives: tuple[Objective, ...] = Field(
        default_factory=lambda values: default_objectives(values["forget"], values["evaluation"].final), min_length=1
    )
    constraints: tuple[Constraint, ...] = ()
    fidelity: FidelityConfig | None = None
    selection: SelectionConfig = SelectionConfig()
    budget: BudgetValue | None = None
    n_trials: int | None = Field(
        default_factory=lambda values: USUAL_TRIALS if values.get("budget") is None else None, ge=1
    )
    time_budget_min: float | None = Field(default=None, gt=0, le=10_000_000)
    max_failures: int = Field(default=10, ge=0)
    max_retries: int = Field(default=2, ge=0)
    sampler: str = "auto"
    seed: int = Field(default=0, ge=0)
    replicates: int = Field(default=1, ge=1, le=10_000)
    confirm_seeds: int = Field(default=3, ge=0, le=10_000)
    resources: ResourceConfig = ResourceConfig()
    device: str = "auto"
    precision: Precision = "float32"
    tracking_uri: str | None = None
    storage: str | None = Field(default=None, repr=False)
    study_name: str | None = Field(default=None, min_length=1, max_length=200)
    log_model: bool = True

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise ValueError(
                "must start with a letter or digit and only contain letters, digits, dots, hyphens and underscores, "
                f"but got {shown(name)}"
            )
        if len(name) > _LONGEST_NAME:
            raise ValueError(
                f"is too long: it names files, so it may have {_LONGEST_NAME} characters, but has {len(name)}"
            )
        return name

    @field_validator("forget", mode="before")
    @classmethod
    def _one_or_several(cls, forget: Any) -> Any:
        return forget if isinstance(forget, list | tuple) else (forget,)

    @field_serializer("forget")
    def _one_as_it_was_written(self, forget: tuple[ForgetRequest, ...]) -> Any:
        plain = [request.model_dump(mode="json") for request in forget]
        return plain if len(plain) > 1 else plain[0]

    @model_validator(mode="before")
    @classmethod
    def _a_replicate_for_each_request(cls, values: Any) -> Any:
        if isinstance(values, dict) and "replicates" not in values and isinstance(values.get("forget"), list | tuple):
            return {**values, "replicates": max(1, len(values["forget"]))}
        return values

    @field_validator("tracking_uri")
    @classmethod
    def _store_or_server(cls, uri: str | None) -> str | None:
        problem = tracking_problem(uri) if uri not in (None, "none") else None
        if problem is not None:
            raise ValueError(problem)
        return uri

    @field_validator("storage")
    @classmethod
    def _database(cls, address: str | None) -> str | None:
        problem = database_problem(address) if address is not None else None
        if problem is not None:
            raise ValueError(problem)
        return address

    @field_serializer("storage")
    def _shown_storage(self, address: str | None) -> str | None:
        return without_secrets(address) if address is not None else None

    @property
    def directory(self) -> Path:
        """The study's folder."""
        return self.runs_dir / self.name

    @property
    def planned_trials(self) -> int:
        """Trials that samplers plan with: `n_trials`, or the usual number where a budget alone ends the search."""
        return self.n_trials or USUAL_TRIALS

    @property
    def by_samples(self) -> bool:
        """Whether single images are to be forgotten, not classes."""
        return self.forget[0].by_samples

    def mlflow_uri(self) -> str | None:
        """The MLflow store: `tracking_uri`, or SQLite in `runs_dir`; None if tracking is off."""
        if self.tracking_uri == "none":
            return None
        return self.tracking_uri or f"sqlite:///{(self.runs_dir / 'mlflow.db').resolve()}"

    def for_workers(self) -> "StudyConfig":
        """The study as Ray's workers get it: they stand in other folders, and only the driver knows the database."""
        return self.model_copy(update={"runs_dir": self.runs_dir.resolve(), "storage": None})

    def name_in_storage(self) -> str:
        """Name of the Optuna study in the database."""
        return self.study_name or self.name

    def to_yaml(self) -> str:
        """The study with every default spelled out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    def to_send(self) -> str:
        """The study for a driver elsewhere, which may continue an earlier one: what the user left open stays open."""
        left_open = {"space", "objectives", "constraints", "evaluation", "memory"} - self.model_fields_set
        return yaml.safe_dump(self.model_dump(mode="json", exclude=left_open), sort_keys=False)

    def problems(self) -> list[str]:
        """What is wrong with how the values go together, one sentence each; `TrialPlan.of` looks up their names."""
        problems = []
        metrics = [objective.metric for objective in self.objectives]
        if self.n_trials is None and self.budget is None:
            problems.append("`n_trials` must be a whole number, but got nothing. A study with a `budget` needs none.")
        if self.selection.by == "oracle" and "retrained" not in self.evaluation.final:
            problems.append("`selection.by` can only be oracle if `evaluation.final` contains retrained.")
        if len({request.by_samples for request in self.forget}) > 1:
            problems.append("`forget` must name classes in all of its requests, or images in all of them.")
        n_samples = sum(len(request.samples) for request in self.forget)
        if n_samples > _MOST_SAMPLES:  # study.yaml holds them, and is read up to a size
            problems.append(f"`forget` must name at most {_MOST_SAMPLES:,} samples, but names {n_samples:,}.")
        if len(set(self.forget)) < len(self.forget):
            problems.append("`forget` must name each request once.")
        if self.replicates % len(self.forget):
            problems.append(
                f"`replicates` must be a multiple of the number of forget requests, {len(self.forget)}, "
                f"but got {self.replicates}."
            )
        if len(set(metrics)) < len(metrics):
            problems.append(f"`objectives` must name each metric once, but got {metrics}.")
        return problems
