"""What a result is held against: the original, a mask, the published set, an untrained network, a reference.

Every row has the same columns, and says what one unlearning costs and what the whole request does, in retrainings.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from antisample.errors import ConfigError
from tuning.study.attributes import BASELINES, FINALIST_RUNS, ORIGINAL, RETRAINING, Retraining
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord

_TIMED = 20  # trials that tell how long a pass over an image takes
WITHOUT_A_MASK = "a mask hides whole classes, and this request is for single images"


@dataclass(frozen=True)
class BaselineRow:
    """One line of the comparison.

    Attributes:
        name: `original`, `mask`, `published`, `chosen`, `untrained` or `reference`.
        metrics: By name; empty where the row does not apply.
        why_not: Why it does not apply, in words; None if it does.
        unlearning_s: Seconds of one unlearning; None where that is not known.
        request_s: Seconds of everything that the request took: for the chosen trial the whole search and its finals.
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
        retraining_s: Seconds of one retraining; None where that can be neither measured nor estimated.
        is_measured: Whether a reference was trained; otherwise the seconds follow from those of the trials.
        floor: What compares with a reference, between two references, by metric name; empty with fewer than two.
    """

    rows: tuple[BaselineRow, ...]
    retraining_s: float | None
    is_measured: bool
    floor: dict[str, float] = field(default_factory=dict)

    def share(self, seconds: float | None) -> float | None:
        """Seconds as a share of one retraining; None where either is not known."""
        return seconds / self.retraining_s if seconds is not None and self.retraining_s else None

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "retraining_s": self.retraining_s,
            "retraining_is_measured": self.is_measured,
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
    noted, records = study.noted(BASELINES, {}), study.records()
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
        searched_s = sum(record.duration_s for record in records)
        searched_s += sum(run["elapsed_s"] for run in study.noted(FINALIST_RUNS, []))
        rows.append(
            BaselineRow("chosen", chosen.metrics, None, chosen.unlearning_s, searched_s, chosen.number),
        )
    if "untrained" in noted:
        rows.append(BaselineRow("untrained", noted["untrained"]))
    trained_s = retraining.get("seconds") if retraining is not None else None
    rows += [
        BaselineRow(name, metrics, None, trained_s, trained_s)
        for name, metrics in noted.items()
        if name.startswith("reference")
    ]
    estimated = _estimated_s(study, retraining, records) if trained_s is None else None
    floor = {name.removesuffix("_floor"): value for name, value in noted.get("floor", {}).items()}
    return Baselines(tuple(rows), trained_s if trained_s is not None else estimated, trained_s is not None, floor)


def _estimated_s(study: StudyReader, retraining: Retraining | None, records: Sequence[TrialRecord]) -> float | None:
    """Seconds of a retraining at the median speed of the study's trials, for methods that train on retain images."""
    if retraining is None:
        return None
    timed = [record for record in records if record.state == "COMPLETE" and record.unlearning_s > 0]
    speeds, images = [], retraining["retain_images"]
    for record in timed[:_TIMED]:
        try:
            method: Any = study.plan.unlearn_config(record.params, record.seeds[0]).method
        except ConfigError:
            continue
        passes = getattr(method, "epochs", 0) * getattr(method, "retain_fraction", 0) * images
        if passes:
            speeds.append(record.unlearning_s / passes)
    return median(speeds) * retraining["epochs"] * retraining["retain_images"] if speeds else None
