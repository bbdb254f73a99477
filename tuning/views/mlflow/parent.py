"""What the parent run shows besides figures: a description with the front, and the data set.

Like everything that MLflow is told, it is a function of the study.
"""

import json
from typing import TYPE_CHECKING

from antisample.plain_text import markdown_text
from tuning.study.attributes import FORGETTING
from tuning.study.outcome import Outcome
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

_ROWS = 20


def description(study: StudyReader, outcome: Outcome) -> str:
    """The study in Markdown: what was done, which trial is chosen and why, and the front."""
    config = study.config
    requests = study.noted(FORGETTING) or [request.describe() for request in config.forget]
    forgotten = "; ".join(requests)
    what = f"{config.method} on {config.model.name} and {config.data.source}, forgetting {forgotten}."
    lines = [markdown_text(what), ""]
    if outcome.chosen is None:
        lines += [f"**No trial was chosen.** {markdown_text(outcome.reason)}"]
    else:
        lines += [f"**Chosen: trial {outcome.chosen.number}**, {markdown_text(outcome.reason)}."]
    lines += [
        "",
        "| trial | forget | retain | confidence | epochs | seconds | origin |",
        "|--:|--:|--:|--:|--:|--:|:--|",
    ]
    lines += [_row(record, outcome) for record in outcome.front[:_ROWS]]
    if len(outcome.front) > _ROWS:
        lines += [f"| +{len(outcome.front) - _ROWS} more |"]
    if outcome.original:
        lines += [f"| - |{_figures(outcome.original)}| | | original model |"]
    return "\n".join(
        [*lines, "", "All metrics are on validation images; see report.html in the artifacts for the full results."]
    )


def data_set(name: str, fingerprint: str, source: str, images: dict[str, int], classes: int) -> "DatasetInput":
    """The study's images as an MLflow dataset; the digest is the beginning of their fingerprint."""
    from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415  (takes seconds to import)
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT  # noqa: PLC0415

    profile = json.dumps({"classes": classes, **{f"{part}_images": n for part, n in images.items()}})
    origin = json.dumps({"uri": source})
    entity = Dataset(name, fingerprint[:36], "local", origin, profile=profile)
    return DatasetInput(entity, [InputTag(MLFLOW_DATASET_CONTEXT, "unlearning")])


def _row(record: TrialRecord, outcome: Outcome) -> str:
    chosen = outcome.chosen is not None and record.number == outcome.chosen.number
    mark = f"**{record.number}**" if chosen else str(record.number)
    seconds = f"{record.duration_s:.1f}"
    return f"| {mark} |{_figures(record.metrics)}| {record.fidelity} | {seconds} | {markdown_text(record.origin)} |"


def _figures(metrics: dict[str, float]) -> str:
    forget, retain, confidence = (
        metrics.get(f"validation/{name}") for name in ("forget_accuracy", "retain_accuracy", "forget_confidence")
    )
    shares = ["" if value is None else f"{100 * value:.1f} %" for value in (forget, retain)]
    return " | ".join(["", *shares, "" if confidence is None else f"{confidence:.3f}", ""]).strip("|")
