"""What a result is held against: the original, a mask, the published set, an untrained network, a reference.

Every row has the same columns, and says what one unlearning costs and what the whole request does, in retrainings.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Literal

from tuning.study.attributes import BASELINES, ORIGINAL, RETRAINING, TIMED_RETRAINING_S, Retraining
from tuning.study.reader import StudyReader
from tuning.study.spending import find_spending, passes
from tuning.trials.records import TrialRecord

_TIMED = 20  # trials that tell how long a pass over an image takes
Basis = Literal["timed", "measured", "estimated"]
WITHOUT_A_MASK = "a mask hides whole classes, and this request is for single images"


@dataclass(frozen=True)
class BaselineRow:
    """One line of the comparison.

    Attributes:
        name: `original`, `mask`, `published`, `chosen`, `untrained` or `reference`.
        metrics: By name; empty where the row does not apply.
        why_not: Why it does not apply, in words; None if it does.
        unlearning_s: Seconds of one unlearning; None where that is not known.
        request_s: Worker seconds of everything that the request took: for the chosen trial the search, the runs of
            finalists and those that confirm it, with their evaluation.
        trial: Number of the trial; None for what is no trial.
    """

    name: str
    metrics: dict[str, float]
    why_not: str | None = None
    unlearning_s: float | None = None
    request_s: float | None = None
    trial: int | None = None


@dataclass(frozen=True)
class Baselines:
    """All rows, and the cost of a retraining.

    Attributes:
        rows: In the order that they are shown in.
        retraining_s: Seconds of one retraining; None where that is not known.
        basis: How that is known: `timed` from a few steps, which a study with a budget does, `measured` where a
            reference was trained, or `estimated` from the speed of the trials.
        floor: What compares with a reference, between two references, by metric name; empty with fewer than two.
    """

    rows: tuple[BaselineRow, ...]
    retraining_s: float | None
    basis: Basis
    floor: dict[str, float] = field(default_factory=dict)

    def share(self, seconds: float | None) -> float | None:
        """Seconds as a share of one retraining; None where either is not known."""
        return seconds / self.retraining_s if seconds is not None and self.retraining_s else None

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "retraining_s": self.retraining_s,
            "retraining_is_measured": self.basis == "measured",
            "retraining_basis": self.basis,
            "floor": self.floor,
            "rows": [
                {
                    **asdict(row),
                    "unlearning_share": self.share(row.unlearning_s),
                    "request_share": self.share(row.request_s),
                }
                for row in self.rows
            ],
        }


def find_baselines(study: StudyReader, published: TrialRecord | None, chosen: TrialRecord | None) -> Baselines:
    """Reads what a study keeps of its baselines; rows that an older study does not know are missing."""
    noted = study.noted(BASELINES, {})
    retraining = study.noted(RETRAINING)
    rows = [BaselineRow("original", study.noted(ORIGINAL, {}), unlearning_s=0.0, request_s=0.0)]
    if study.config.by_samples:
        rows.append(BaselineRow("mask", {}, WITHOUT_A_MASK))
    elif "mask" in noted:
        rows.append(BaselineRow("mask", noted["mask"], unlearning_s=0.0, request_s=0.0))
    if published is not None:
        seconds = published.unlearning_s
        name = "published" if published.origin.is_published else "defaults"
        rows.append(BaselineRow(name, published.metrics, None, seconds, seconds, published.number))
    if chosen is not None:
        request_s = find_spending(study, None).total_s
        rows.append(BaselineRow("chosen", chosen.metrics, None, chosen.unlearning_s, request_s, chosen.number))
    if "untrained" in noted:
        rows.append(BaselineRow("untrained", noted["untrained"]))
    trained_s = retraining.get("seconds") if retraining is not None else None
    rows += [
        BaselineRow(name, metrics, None, trained_s, trained_s)
        for name, metrics in noted.items()
        if name.startswith("reference")
    ]
    retraining_s, basis = _retraining_s(study, trained_s)
    floor = {name.removesuffix("_floor"): value for name, value in noted.get("floor", {}).items()}
    return Baselines(tuple(rows), retraining_s, basis, floor)


def _retraining_s(study: StudyReader, trained_s: float | None) -> tuple[float | None, Basis]:
    """Seconds of a retraining, and how they are known: those that the budget counts in, where there is one."""
    timed_s = study.noted(TIMED_RETRAINING_S)
    if timed_s is not None:
        return timed_s, "timed"
    if trained_s is not None:
        return trained_s, "measured"
    return _estimated_s(study, study.noted(RETRAINING), study.records()), "estimated"


def _estimated_s(study: StudyReader, retraining: Retraining | None, records: Sequence[TrialRecord]) -> float | None:
    """Seconds of a retraining at the median speed of the study's trials, for methods that train on retain images."""
    if retraining is None or not retraining["epochs"]:
        return None
    timed = [record for record in records if record.state == "COMPLETE" and record.unlearning_s > 0]
    speeds = [record.unlearning_s / n for record in timed[:_TIMED] if (n := passes(study, record))]
    return median(speeds) * retraining["epochs"] if speeds else None
