"""How long a study will take: from what one unlearning costs to the whole request."""

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from tuning.config.trial_plan import TrialPlan
from tuning.study.space_draws import bounds, even_draws

_DRAWS = 64


@dataclass(frozen=True)
class Workload:
    """What is left to do of a study, and on how many workers.

    Attributes:
        trials: Trials to finish.
        confirmations: Runs with fresh seeds.
        workers: Trials at once, at least 1.
        requests: Forget requests.
        training_images: Training images of the original.
        retain_images: Of these, those to retain.
        untrained_original: Whether the original has to be trained first.
        missing_references: Retrained references to train first.
        is_new: Whether the original and the baselines have to be measured first.
    """

    trials: int
    confirmations: int
    workers: int
    requests: int
    training_images: int
    retain_images: int
    untrained_original: bool = False
    missing_references: int = 0
    is_new: bool = True


@dataclass(frozen=True)
class UnlearningCosts:
    """What one unlearning costs, in seconds of a worker, as a mean over the search space.

    Attributes:
        preparation_s: Before its first epoch; of a method without epochs that can be set, all of it.
        epoch_s: One epoch; 0 for such a method.
        validation_s: Measuring the model after an epoch that is not the last.
        evaluation_s: Measuring the finished model.
        retraining_s: Training a model from scratch on the retain images.
    """

    preparation_s: float
    epoch_s: float
    validation_s: float
    evaluation_s: float
    retraining_s: float

    def unlearning_s(self, epochs: float) -> float:
        """Seconds of an unlearning with this many epochs, its evaluations included."""
        between_s = max(0.0, epochs - 1) * self.validation_s
        return self.preparation_s + epochs * self.epoch_s + between_s + self.evaluation_s


@dataclass(frozen=True)
class Stage:
    """A part of a study.

    Attributes:
        name: In words.
        seconds: How long it will take, in the mean over the search space.
        least_s: With the fewest epochs that the space allows.
        most_s: With the most.
    """

    name: str
    seconds: float
    least_s: float
    most_s: float


@dataclass(frozen=True)
class Forecast:
    """How long a study will take.

    Attributes:
        stages: In order; those that take no time are missing.
        epochs: Of an unlearning: the fewest, the mean and the most over the search space; zeros for a method whose
            epochs cannot be set.
        retraining_s: Seconds of one retraining.
    """

    stages: tuple[Stage, ...]
    epochs: tuple[float, float, float]
    retraining_s: float

    def total(self) -> Stage:
        """All stages together."""
        return Stage(
            "total",
            sum(stage.seconds for stage in self.stages),
            sum(stage.least_s for stage in self.stages),
            sum(stage.most_s for stage in self.stages),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "stages": [self._plain(stage) for stage in self.stages],
            "total": self._plain(self.total()),
            "retraining_s": self.retraining_s,
            "epochs": dict(zip(("least", "mean", "most"), self.epochs, strict=True)),
        }

    def _plain(self, stage: Stage) -> dict[str, Any]:
        return {**vars(stage), "retrainings": stage.seconds / self.retraining_s if self.retraining_s else None}


def forecast(
    plan: TrialPlan, costs: UnlearningCosts, load: Workload, starts_s: float, ends_s: float, restarts_s: float = 0.0
) -> Forecast:
    """Predicts how long a study will take.

    Args:
        plan: Of the study.
        costs: Of one unlearning.
        load: What is left to do.
        starts_s: Seconds until the first trial can start, apart from what is trained and measured before.
        ends_s: Seconds of the report and of what is logged at the end.
        restarts_s: Seconds until the processes that run with fresh seeds have started.
    """
    config = plan.config
    epochs = _epochs(plan)
    each_s = [costs.unlearning_s(n) for n in epochs]
    search = [config.replicates * seconds * _rounds(load.trials, load.workers) for seconds in each_s]
    if config.time_budget_min is not None:
        search = [min(seconds, 60 * config.time_budget_min) for seconds in search]
    again = _rounds(load.confirmations, load.workers)
    confirming = [restarts_s * (again > 0) + load.requests * seconds * again for seconds in each_s]
    original_s = costs.retraining_s * load.training_images / max(1, load.retain_images)
    measured = 2 if config.by_samples else 3  # the original, a mask, an untrained network
    together = load.workers if load.missing_references > 1 else 1
    stages = [
        _fixed("starting Ray and the workers", starts_s),
        _fixed("training the original model", original_s * load.untrained_original),
        _fixed("training retrained references", costs.retraining_s * _rounds(load.missing_references, together)),
        _fixed(
            "measuring the original and the baselines", load.is_new * measured * load.requests * costs.evaluation_s
        ),
        _varying(_counted(load.trials, "trial", "trials"), search),
        _varying(_counted(load.confirmations, "run with a fresh seed", "runs with fresh seeds"), confirming),
        _fixed("report and tracking", ends_s),
    ]
    return Forecast(tuple(stage for stage in stages if stage.seconds > 0), epochs, costs.retraining_s)


def mean_epochs(plan: TrialPlan) -> float:
    """Mean epochs of an unlearning over the space; 0 for a method whose epochs cannot be set."""
    return _epochs(plan)[1]


def _counted(n: int, one: str, several: str) -> str:
    return f"{n} {one if n == 1 else several}"


def _fixed(name: str, seconds: float) -> Stage:
    return Stage(name, seconds, seconds, seconds)


def _varying(name: str, seconds: list[float]) -> Stage:
    least, mean, most = seconds
    return Stage(name, mean, least, most)


def _rounds(n: int, workers: int) -> float:
    """How many times as long as one of them several take: at the end, half of the workers have nothing to do."""
    return max(1.0, (n + (min(n, workers) - 1) / 2) / min(n, workers)) if n else 0.0


def _epochs(plan: TrialPlan) -> tuple[float, float, float]:
    """Fewest, mean and most epochs of an unlearning over the space."""
    fields = type(plan.starting_config().method).model_fields
    if "epochs" not in fields:
        return 0.0, 0.0, 0.0
    default = float(fields["epochs"].default)
    values = [plan.method_values(params).get("epochs", default) for params in even_draws(plan.space, _DRAWS)]
    settled = plan.full_fidelity if plan.space.parameters.get("epochs") is None else default
    least, most = bounds(plan.space, plan.config.fixed, "epochs", settled)
    if least == most:
        return least, least, least
    return least, fmean(float(value) for value in values), most
