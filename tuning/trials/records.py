"""What the study says of a trial, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuning.trials.failures import FailureKind
from tuning.trials.origins import Origin

STEP_PREFIX = "report."


@dataclass(frozen=True)
class EpochRecord:
    """One epoch of a trial.

    Attributes:
        step: The epoch, from 1, counted over all replicates.
        replicate: Which replicate it belongs to, from 0.
        timestamp_ms: When it was reported, milliseconds since 1970.
        elapsed_s: Seconds of unlearning so far.
        evaluation_s: Seconds of evaluation so far.
        train_loss: Mean training loss of the epoch.
        metrics: By public name.
        last: Whether it ends its replicate.
        worker: Host and process that did it; empty in studies from before this was kept.
    """

    step: int
    replicate: int
    timestamp_ms: int
    elapsed_s: float
    evaluation_s: float
    train_loss: float
    metrics: dict[str, float]
    last: bool = False
    worker: str = ""


@dataclass(frozen=True)
class TrialRecord:
    """One trial.

    Attributes:
        number: From 0, in the order of suggestion.
        state: RUNNING, COMPLETE, PRUNED or FAIL; WAITING where a search that was stopped has begun it.
        origin: Where its parameters come from.
        params: Searched parameters.
        seeds: One seed a replicate.
        values: One value an objective; None unless COMPLETE.
        metrics: Final metrics by name, means over the replicates; empty unless COMPLETE.
        spread: Standard deviations over the replicates; empty with a single one.
        counts: Images behind the metrics, by `<part>/forget` and `<part>/retain`.
        steps: One record an epoch.
        duration_s: Seconds of unlearning and evaluation, as far as the trial came.
        started_ms: When it was suggested, milliseconds since 1970.
        finished_ms: When it ended, likewise; None until then.
        worker: Host and process that ran it.
        versions: Of the program, torch and Python.
        error: Why it failed.
        failure: The kind of that; None unless it failed.
        partial: Means as far as it came, by metric name; empty unless PRUNED, or RUNNING beyond the first rung.
        partial_error: Standard errors of these means; empty for a single replicate.
        batch_halvings: How often its batch was halved since the GPU ran out of memory.
        retries: How often a worker of it died.
        rung: Replicates or epochs that it is to come to before it is compared; None where trials are not promoted.
    """

    number: int
    state: str
    origin: Origin
    params: dict[str, Any]
    seeds: tuple[int, ...]
    values: tuple[float, ...] | None
    metrics: dict[str, float]
    spread: dict[str, float]
    counts: dict[str, int]
    steps: tuple[EpochRecord, ...]
    duration_s: float
    started_ms: int
    finished_ms: int | None
    worker: str | None
    versions: dict[str, str]
    error: str | None
    partial: dict[str, float]
    partial_error: dict[str, float]
    batch_halvings: int = 0
    retries: int = 0
    failure: FailureKind | None = None
    rung: int | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is to come of it."""
        return self.state not in ("RUNNING", "WAITING")

    @property
    def is_paused(self) -> bool:
        """Whether it stands on a rung, so that nothing of it runs."""
        whole = sum(step.last for step in self.steps)
        done = whole if len(self.seeds) > 1 else self.fidelity  # rungs of a single replicate count its epochs
        return self.state == "RUNNING" and self.rung is not None and self.rung <= done and whole < len(self.seeds)

    @property
    def fidelity(self) -> int:
        """Epochs done, over all replicates."""
        return self.steps[-1].step if self.steps else 0

    @property
    def figures(self) -> dict[str, float]:
        """Final metrics, or those of a stopped trial as far as it came, for showing; never for choosing."""
        return self.metrics or self.partial

    @property
    def unlearning_s(self) -> float:
        """Seconds of one unlearning, the mean over the replicates; 0 before the first report."""
        return self.steps[-1].elapsed_s / len({step.replicate for step in self.steps}) if self.steps else 0.0


def step_attribute(step: int) -> str:
    """Name of the trial attribute that holds the report of a step."""
    return f"{STEP_PREFIX}{step:05d}"


def describe_added_trials(added: Sequence[TrialRecord]) -> str | None:
    """What becomes of trials that others added with their end; None if there are none."""
    if not added:
        return None
    numbers = ", ".join(str(record.number) for record in added)
    taught = [str(r.number) for r in added if r.state == "COMPLETE" and r.error is None]
    who = f"Trial {numbers} was" if len(added) == 1 else f"Trials {numbers} were"
    learns = f"the sampler learns from {', '.join(taught)}" if taught else "the sampler does not learn from them"
    if len(added) == 1:
        learns = "the sampler learns from it" if taught else "the sampler does not learn from it"
    return f"{who} added by hand: not counted and never on the front; {learns}."
