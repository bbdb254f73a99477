"""What a study would do and take, as `antisample run --dry-run` finds it out."""

from dataclasses import asdict, dataclass
from typing import Any

from antisample.metrics.forgetting import Forgetting
from antisample.metrics.original_accuracy import OriginalAccuracy
from tuning.config.trial_plan import TrialPlan
from tuning.study.forecast import Forecast


@dataclass(frozen=True)
class Workers:
    """How many trials run at once, and why.

    Attributes:
        at_once: Trials at once.
        slots: How many the machine holds; more than `at_once` where `resources.max_concurrent` is less.
        cpus: Cores of one.
        gpus: GPUs of one.
        machine_cpus: Cores of the machine.
        machine_gpus: GPUs of the machine.
    """

    at_once: int
    slots: int
    cpus: int
    gpus: float
    machine_cpus: float
    machine_gpus: float


@dataclass(frozen=True)
class Memory:
    """Memory in bytes.

    Attributes:
        worker: Of one worker.
        total: Of all workers and the driver.
        free: What this machine has free.
        gpu: What one worker takes of a GPU; 0 on CPUs.
    """

    worker: int
    total: int
    free: int
    gpu: int


@dataclass(frozen=True)
class Prospect:
    """What a study would do, and what that takes.

    Attributes:
        plan: Of the study, as it would be run.
        forgetting: What each request forgets.
        retain_images: Of the first request.
        accuracies: Of the original, for each request; empty where it has to be trained first.
        remembered: What is taken over from earlier requests, in words; None if nothing is asked for or it has begun.
        finished: Trials that are finished already; None if the study is new.
        trials_left: Trials to finish.
        missing_references: Retrained references to train first.
        workers: Trials at once.
        forecast: How long it takes.
        not_measured: Metric families that are not in the forecast.
        memory: What it needs and what there is.
    """

    plan: TrialPlan
    forgetting: tuple[Forgetting, ...]
    retain_images: int
    accuracies: tuple[OriginalAccuracy, ...]
    remembered: str | None
    finished: int | None
    trials_left: int
    missing_references: int
    workers: Workers
    forecast: Forecast
    not_measured: tuple[str, ...]
    memory: Memory

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`: times in seconds, memory in bytes."""
        config = self.plan.config
        return {
            "dry_run": True,
            "directory": str(config.directory),
            "continues": self.finished is not None,
            "finished_trials": self.finished or 0,
            "trials_left": self.trials_left,
            "forgetting": [asdict(each) for each in self.forgetting],
            "retain_images": self.retain_images,
            "original": [vars(each) for each in self.accuracies] or None,
            "method": config.method,
            "space": {
                name: parameter.model_dump(mode="json", exclude={"why"}, exclude_none=True)
                for name, parameter in self.plan.space.parameters.items()
            },
            "fixed": dict(config.fixed),
            "from_memory": self.remembered,
            "n_trials": config.n_trials,
            "budget": config.budget.plain() if config.budget is not None else None,
            "replicates": config.replicates,
            "confirm_seeds": config.confirm_seeds,
            "references_to_train": self.missing_references,
            "workers": vars(self.workers),
            "time": self.forecast.to_json(),
            "not_measured": list(self.not_measured),
            "memory": vars(self.memory),
        }
