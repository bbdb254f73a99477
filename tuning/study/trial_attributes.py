"""What a study writes into the attributes of a trial; `tuning.trials.attribute_types` has their types.

The keys are the file format: studies of earlier versions are read by them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypedDict

import optuna
from optuna.trial import FrozenTrial

from tuning.config.objectives import Constraint
from tuning.strategies.partial_result import PartialResult
from tuning.strategies.pruned_trials import PARTIAL
from tuning.trials.failures import FailureKind, refused
from tuning.trials.origins import Origin
from tuning.trials.records import EpochRecord, step_attribute


class AboutResult(TypedDict, total=False):
    """What is kept of a complete trial besides its metrics and counts; see `TrialRecord`."""

    spread: dict[str, float]
    worker: str
    versions: dict[str, str]
    batch_halvings: int


def of_enqueued(origin: Origin) -> dict[str, Any]:
    """The attributes of a trial that waits."""
    return {"origin": str(origin)}


def origin(trial: FrozenTrial) -> Origin:
    """Where a trial comes from, as it stands there."""
    return Origin(trial.user_attrs.get("origin"))


def set_origin(trial: optuna.Trial, origin: Origin) -> None:
    """Keeps where a trial comes from, unless it says so itself."""
    if not isinstance(trial.user_attrs.get("origin"), str):
        trial.set_user_attr("origin", str(origin))


def set_begun(trial: optuna.Trial, key: str, seeds: Sequence[int], now_ms: int) -> None:
    """Keeps that a trial runs, under which key of the executor and with which seeds.

    Raises:
        UpdateFinishedTrialError: If somebody else has ended it.
    """
    if "started_ms" not in trial.user_attrs:
        # Optuna's own times are local ones without a time zone: read elsewhere they are others.
        trial.set_user_attr("started_ms", now_ms)
    for name, value in {"key": key, "number": trial.number, "seeds": list(seeds)}.items():
        trial.set_user_attr(name, value)


def set_epoch(trial: optuna.Trial, record: EpochRecord) -> None:
    """Keeps the report of an epoch."""
    trial.set_user_attr(step_attribute(record.step), asdict(record))


def set_partial(trial: optuna.Trial, partial: PartialResult) -> None:
    """Keeps how far a trial had come that is stopped early."""
    trial.set_user_attr(PARTIAL, asdict(partial))


def set_rung(trial: optuna.Trial, rung: int) -> None:
    """Keeps the replicates that a trial is to come to before it is compared again."""
    trial.set_user_attr("rung", rung)


def set_batch_halvings(trial: optuna.Trial, n: int) -> None:
    """Keeps how often the batch was halved in a replicate, for those that begin later."""
    trial.set_user_attr("batch_halvings", n)


def set_result(trial: optuna.Trial, *, metrics: dict[str, float], counts: dict[str, int], **about: Any) -> None:
    """Keeps what came of a complete trial; `about` as in `AboutResult`."""
    for name, value in {"metrics": metrics, "counts": counts, **about}.items():
        trial.set_user_attr(name, value)


def set_constraints(trial: optuna.Trial, constraints: Sequence[Constraint], metrics: Mapping[str, float]) -> None:
    """Keeps by how much a trial violates each constraint."""
    for constraint in constraints:
        trial.set_constraint(str(constraint), constraint.violation(metrics))


def retries(trial: optuna.Trial) -> int:
    """How often a worker of a trial was lost."""
    return int(trial.user_attrs.get("retries", 0))


def set_retries(trial: optuna.Trial, n: int) -> None:
    """Keeps how often a worker of a trial was lost."""
    trial.set_user_attr("retries", n)


def set_failure(trial: optuna.Trial, kind: FailureKind, message: str) -> None:
    """Keeps why a trial failed."""
    trial.set_user_attr("failure", kind.value)
    trial.set_user_attr("error", message)


def set_refused(trial: optuna.Trial, origin: Origin, misfit: str, now_ms: int) -> None:
    """Keeps why a trial that others enqueued is not run at all."""
    trial.set_user_attr("origin", str(origin))
    trial.set_user_attr("started_ms", now_ms)
    trial.set_user_attr("finished_ms", now_ms)
    set_failure(trial, FailureKind.REFUSED, refused(f"{misfit}."))


def set_finished(trial: optuna.Trial, now_ms: int) -> None:
    """Keeps when a trial ended."""
    trial.set_user_attr("finished_ms", now_ms)
