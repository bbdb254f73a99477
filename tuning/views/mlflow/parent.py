"""What the parent run shows besides figures: a description with the front, and the data set.

Like everything that MLflow is told, it is a function of the study.
"""

import json
from typing import TYPE_CHECKING

from antisample.plain_text import markdown_text
from tuning.config.objectives import DEPTH
from tuning.study.attributes import FORGETTING
from tuning.study.baselines import Baselines
from tuning.study.outcome import Outcome
from tuning.study.reader import StudyReader
from tuning.trials.depth import is_judged_by_depth
from tuning.views.baseline_texts import (
    PARTS,
    Column,
    columns,
    heading_note,
    remark,
    retraining_text,
    row_name,
    rows,
    seconds_text,
    share_text,
)
from tuning.views.spending_text import spending_lines

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

_ROWS = 20
_FIGURES = ("forget_accuracy", "retain_accuracy", "forget_confidence")
_ALWAYS = ("original", "published", "defaults", "chosen")


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
        lines += _confirmed(outcome)
    lines += [
        "",
        *spending_lines(outcome, config),
        "",
        *_baselines(outcome),
        *_front(outcome, is_judged_by_depth(config)),
    ]
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


def _confirmed(outcome: Outcome) -> list[str]:
    """The chosen trial run again with seeds that the search has not used; nothing where it was not."""
    for again in outcome.confirmations:
        if again.role == "chosen":
            figures = [
                f"{name} {100 * again.metrics[f'test/{name}_accuracy'].mean:.1f} %"
                for name in ("forget", "retain")
                if f"test/{name}_accuracy" in again.metrics
            ]
            seeds = f"{len(again.seeds)} fresh seed{'s' * (len(again.seeds) > 1)}"
            return ["", f"Run again with {seeds} (`confirmed/...`), on test images: {', '.join(figures)}."]
    return []


def _baselines(outcome: Outcome) -> list[str]:
    """What the result is held against; nothing where a study knows the original alone."""
    baselines, part = outcome.baselines, PARTS[0]
    if all(row.name in _ALWAYS for row in rows(baselines)):
        return []
    across = columns(outcome, part)
    notes = [heading_note(column, part, outcome) for column in across]
    figures = [f"{c.heading} ({note})" if note else c.heading for c, note in zip(across, notes, strict=True)]
    headings = ["held against", *figures, "one unlearning (share of one retraining)", "whole request (likewise)"]
    lines = [_line(headings), "|:--|" + "--:|" * (len(headings) - 1)]
    for row in rows(baselines):
        said = remark(row, baselines)
        name = f"{row_name(row)} ({said})" if said else row_name(row)
        cells = [f"does not apply: {row.why_not}"]
        if not row.why_not:
            costs = [_cost(seconds, baselines) for seconds in (row.unlearning_s, row.request_s)]
            cells = [*(_figure(column, row.metrics, part) for column in across), *costs]
        lines.append(_line([f"**{name}**" if row.name == "chosen" else name, *cells]))
    return [*lines, "", retraining_text(baselines), ""]


def _figure(column: Column, metrics: dict[str, float], part: str) -> str:
    """A figure, with its standard error where it has one."""
    error = column.note(metrics, part, None)
    text = column.text(metrics, part)
    return f"{text} ({error})" if error else text


def _cost(seconds: float | None, baselines: Baselines) -> str:
    share = share_text(baselines.share(seconds))
    return f"{seconds_text(seconds)} ({share})" if share else seconds_text(seconds)


def _front(outcome: Outcome, deep: bool) -> list[str]:
    depth = ["probe_left"] if deep else []
    headings = ["trial", "forget", "retain", *depth, "confidence", "epochs", "seconds", "origin"]
    lines = [_line(headings), "|" + "--:|" * (len(headings) - 1) + ":--|"]
    for record in outcome.front[:_ROWS]:
        chosen = outcome.chosen is not None and record.number == outcome.chosen.number
        number = f"**{record.number}**" if chosen else str(record.number)
        spent = [str(record.fidelity), f"{record.duration_s:.1f}"]
        lines.append(_line([number, *_figures(record.metrics, deep), *spent, markdown_text(record.origin)]))
    if len(outcome.front) > _ROWS:
        lines.append(f"| +{len(outcome.front) - _ROWS} more |")
    if outcome.original:
        lines.append(_line(["-", *_figures(outcome.original, deep), "", "", "original model"]))
    return lines


def _figures(metrics: dict[str, float], deep: bool) -> list[str]:
    forget, retain, confidence, left = (
        metrics.get(name) for name in (*(f"validation/{name}" for name in _FIGURES), DEPTH)
    )
    shares = ["" if value is None else f"{100 * value:.1f} %" for value in (forget, retain)]
    depth = ["" if left is None else f"{left:.2f}"] if deep else []
    return [*shares, *depth, "" if confidence is None else f"{confidence:.3f}"]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
