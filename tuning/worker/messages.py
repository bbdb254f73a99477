"""What driver and workers tell each other: what to run, how it goes, what came of it, and why it failed.

Messages travel through Ray Tune: an assignment as the configuration of a trial, everything else as text in its
results, since Ray flattens dictionaries at the slashes of metric names.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tuning.trials.failures import FailureKind

_REPORT, _FAILURE = "antisample_report", "antisample_failure"


@dataclass(frozen=True)
class FinishedReplicate:
    """A replicate that has come to its end.

    Attributes:
        metrics: By public name.
        elapsed_s: Seconds of unlearning of the trial up to its end.
        evaluation_s: Likewise of evaluation.
        step: The epoch that ended it, counted over all replicates.
    """

    metrics: dict[str, float]
    elapsed_s: float
    evaluation_s: float
    step: int


@dataclass(frozen=True, kw_only=True)
class TrialAssignment:
    """A trial to run, or to go on with.

    Attributes:
        number: Of the trial.
        params: Searched parameters.
        seeds: One seed per replicate.
        step: Epochs that the study has reports of.
        finished: Replicates that the study has whole.
        replicate: The only one to run; None for all in a row. Its epochs and seconds are then counted from its own
            beginning, and its result is of it alone.
        until: The epoch after which it is left, to be continued from a checkpoint if it is promoted; None to run it
            to its end.
        batch_halvings: How often the batch was halved in replicates before.
        token: Fencing token of the driver, which every report carries back.
    """

    number: int
    params: dict[str, Any]
    seeds: tuple[int, ...]
    step: int = 0
    finished: tuple[FinishedReplicate, ...] = ()
    replicate: int | None = None
    until: int | None = None
    batch_halvings: int = 0
    token: str = ""

    def to_config(self) -> dict[str, Any]:
        """As Ray Tune hands it to a worker."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "TrialAssignment":
        """Reads what `to_config` wrote."""
        finished = tuple(FinishedReplicate(**replicate) for replicate in config["finished"])
        return cls(**{**config, "seeds": tuple(config["seeds"]), "finished": finished})


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """What came of a whole trial, or of the only replicate that was asked for; see `TrialRecord` for the fields.

    Attributes:
        metrics: Means over the replicates.
        spread: Standard deviations over the replicates.
        counts: Images behind the metrics.
        batch_halvings: How often the batch was halved.
        worker: Host and process.
        versions: Of the program, torch and Python.
    """

    metrics: dict[str, float]
    spread: dict[str, float]
    counts: dict[str, int]
    batch_halvings: int
    worker: str
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class TrialReport:
    """One epoch of a trial, and its result with the last one; see `EpochRecord` for the fields.

    Attributes:
        token: Fencing token of the driver that asked for the trial.
        waits: Whether the trial is left here; see `TrialAssignment.until`.
        result: Of the whole trial; None before its last epoch.
    """

    token: str
    step: int
    replicate: int
    elapsed_s: float
    evaluation_s: float
    train_loss: float
    metrics: dict[str, float] = field(default_factory=dict)
    last: bool = False
    worker: str = ""
    waits: bool = False
    result: TrialResult | None = None

    def epoch(self) -> dict[str, Any]:
        """The fields of `EpochRecord` but for the timestamp."""
        return {name: value for name, value in vars(self).items() if name not in ("token", "waits", "result")}

    def to_state(self) -> dict[str, Any]:
        """As a checkpoint keeps it; the token is that of the driver that it will be reported to."""
        return {"token": self.token, **self.epoch()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], token: str) -> "TrialReport":
        """Reads what `to_state` wrote, for another driver."""
        return cls(**{**state, "token": token})

    def to_ray(self) -> dict[str, Any]:
        """As the result of a step that Ray Tune passes on."""
        return {_REPORT: json.dumps(asdict(self)), "done": self.waits or self.result is not None}


@dataclass(frozen=True)
class RunResult:
    """What came of one run of every forget request with one seed.

    Attributes:
        metrics: Means over the requests.
        counts: Images behind the metrics.
        elapsed_s: Mean seconds of unlearning.
        spent_s: Seconds of the worker in all, for every request, with evaluation.
    """

    metrics: dict[str, float]
    counts: dict[str, int]
    elapsed_s: float
    spent_s: float


@dataclass(frozen=True)
class TrialFailure:
    """Why a trial failed.

    Attributes:
        kind: Tells whether it counts.
        message: For people.
    """

    kind: FailureKind
    message: str

    def to_ray(self) -> dict[str, Any]:
        """As the result of a step that Ray Tune passes on."""
        return {_FAILURE: json.dumps([self.kind.value, self.message]), "done": True}


def report_in(result: Mapping[str, Any] | None, token: str) -> TrialReport | None:
    """The report in a result of Ray Tune's.

    Args:
        result: From Ray.
        token: Fencing token of the driver; a report to another one is dropped.
    """
    text = (result or {}).get(_REPORT)
    if not text:
        return None
    values = json.loads(text)
    if values["token"] != token:
        return None
    stated = values.pop("result")
    return TrialReport(**values, result=None if stated is None else TrialResult(**stated))


def failure_in(result: Mapping[str, Any] | None) -> TrialFailure | None:
    """The failure in a result of Ray Tune's."""
    text = (result or {}).get(_FAILURE)
    if not text:
        return None
    kind, message = json.loads(text)
    return TrialFailure(FailureKind(kind), message)
