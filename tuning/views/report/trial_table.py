"""The report's table of trials as compact data: the page's script lays out a hundred rows at a time."""

from collections.abc import Callable
from typing import Any, NamedTuple

from search_spaces import ChoiceParameter
from tuning.study.outcome import Outcome
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord
from tuning.views.report.drawing import formatted, label, short
from tuning.views.report.tables import key_metrics

_LONGEST_ERROR, _LONGEST_LINE = 2000, 240
_LATEST = 100
_MOST_DETAILED = 400
_POINTS = 2000
"""Epochs of one trial whose curves the page holds."""
_SHOWN = ("probe_left", "mia_loss", "zrf", "retrained_gap")
_MORE = (
    *("probe_left", "probe_forget", "probe_gap", "relearn_area"),
    *("mia_loss", "mia_confidence", "mia_efficacy", "rmia_auc", "zrf"),
    *("retrained_gap", "forget_js_distance", "retain_js_distance", "cka_reference_forget", "cka_reference_retain"),
)
_PERCENT = ("accuracy", "probe_forget", "mia_efficacy", "relearn_area", "gap")
_STATES = {"FAIL": "failed"}
CURVES = ("validation/forget_accuracy", "validation/retain_accuracy")


class TrialColumn(NamedTuple):
    """One column.

    Attributes:
        key: What it is called in a CSV file.
        name: The heading.
        kind: `text`, `number` or `percent`: how it is sorted and written.
        shown: Whether it is seen at first.
        read: Its value of a trial; None where the trial has none.
        spread: Its standard deviation over the replicates of a trial; None where there is none.
    """

    key: str
    name: str
    kind: str
    shown: bool
    read: Callable[[TrialRecord], Any]
    spread: Callable[[TrialRecord], float | None] = lambda _: None


def trial_data(study: StudyReader, outcome: Outcome) -> dict[str, Any]:
    """Columns, values, and what a click on a trial opens, as plain values; numbers have six digits.

    Learning curves and whole error texts are there for a bounded number of trials: the starting point, the chosen
    trial, the front, those that failed last and those that came last.
    """
    records = study.rows()
    columns = []
    for column in _columns(study, outcome, records):
        values = [_plain(column.read(record)) for record in records]
        if column.kind != "text" and all(value is None for value in values):
            continue
        spread = [_plain(column.spread(record)) for record in records]
        content = {"key": column.key, "name": column.name, "kind": column.kind, "shown": column.shown}
        content["values"] = values
        if any(value is not None for value in spread):
            content["spread"] = spread
        columns.append(content)
    return {
        "columns": columns,
        "original": [_plain(outcome.original.get(name)) for name in CURVES],
        "details": {str(record.number): _detail(record) for record in _detailed(records, outcome)},
    }


def front_rows(data: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """What the table holds before a script fills it: the front's trials as place and texts, in the shown columns."""
    columns = {column["key"]: column for column in data["columns"]}
    shown = [column for column in data["columns"] if column["shown"]]
    places = columns["place"]["values"]
    return [(place, [_text(column, row) for column in shown]) for row, place in enumerate(places) if place][:_LATEST]


def _text(column: dict[str, Any], row: int) -> str:
    value = column["values"][row]
    if value is None:
        return ""
    return f"{100 * value:.1f} %" if column["kind"] == "percent" else formatted("", value)


def _columns(study: StudyReader, outcome: Outcome, records: list[TrialRecord]) -> list[TrialColumn]:
    front = {record.number for record in outcome.front}
    chosen = outcome.chosen.number if outcome.chosen is not None else None

    def place(record: TrialRecord) -> str:
        return "chosen" if record.number == chosen else "front" if record.number in front else ""

    def share(record: TrialRecord) -> float | None:
        return outcome.baselines.share(record.unlearning_s or None)

    wanted = [objective.metric for objective in study.config.objectives]
    wanted += [constraint.metric for constraint in study.config.constraints]
    accuracies = list(key_metrics(outcome))
    deeper = [f"{part}/{name}" for name in _MORE for part in ("validation", "test")]
    metrics = list(dict.fromkeys([*accuracies, *deeper, *wanted]))
    measured = {name for record in records for name in record.figures}
    parameters = study.space.parameters
    kinds = {name: "text" if isinstance(p, ChoiceParameter) else "number" for name, p in parameters.items()}
    return [
        TrialColumn("number", "trial", "number", True, lambda r: r.number),
        TrialColumn("state", "state", "text", True, lambda r: _STATES.get(r.state, r.state.lower())),
        TrialColumn("place", "place", "text", True, place),
        *(_metric_column(name, name in accuracies, name in wanted) for name in metrics if name in measured),
        TrialColumn("unlearning_s", "seconds of unlearning", "number", True, lambda r: r.unlearning_s or None),
        TrialColumn("retraining_share", "of one retraining", "percent", True, share),
        TrialColumn("duration_s", "seconds with evaluation", "number", False, lambda r: r.duration_s),
        TrialColumn("fidelity", "epochs done", "number", True, lambda r: r.fidelity),
        *([TrialColumn("rung", "rung", "number", True, lambda r: r.rung)] if any(r.rung for r in records) else []),
        *(TrialColumn(f"params.{n}", n, kind, True, _parameter(n)) for n, kind in kinds.items()),
        TrialColumn("origin", "origin", "text", True, lambda r: str(r.origin)),
        TrialColumn("seeds", "seeds", "text", False, lambda r: " ".join(map(str, r.seeds))),
        TrialColumn("error", "error", "text", any(r.error for r in records), lambda r: _first_line(r.error or "")),
    ]


def _metric_column(name: str, is_accuracy: bool, is_objective: bool) -> TrialColumn:
    part, _, metric = name.partition("/")
    seen = is_objective or (is_accuracy and metric.endswith(("accuracy", "forget_gap")))
    seen = seen or (part == "validation" and metric in _SHOWN)
    kind = "percent" if metric.endswith(_PERCENT) else "number"
    return TrialColumn(
        f"metrics.{name}", label(name), kind, seen, lambda r: r.figures.get(name), lambda r: r.spread.get(name)
    )


def _parameter(name: str) -> Callable[[TrialRecord], Any]:
    return lambda record: record.params.get(name)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return short(value) if abs(value) < float("inf") else None
    return value if value is None or isinstance(value, bool | int) else str(value)


def _first_line(error: str) -> str:
    first = error.strip().partition("\n")[0]
    return first if len(first) <= _LONGEST_LINE else f"{first[:_LONGEST_LINE]}…"


def _detailed(records: list[TrialRecord], outcome: Outcome) -> list[TrialRecord]:
    important = [outcome.published, outcome.chosen, outcome.nearest, *outcome.front[:_LATEST]]
    failed = [record for record in records if record.error][-_LATEST:]
    every = {r.number: r for r in (*(r for r in important if r is not None), *failed, *records[-_LATEST:])}
    return list(every.values())[:_MOST_DETAILED]


def _detail(record: TrialRecord) -> dict[str, Any]:
    steps = record.steps[:_POINTS]
    curves = [
        {
            "loss": [_plain(float(f"{step.train_loss:.4g}")) for step in steps if step.replicate == replicate],
            "metrics": [
                [_plain(step.metrics.get(name)) for step in steps if step.replicate == replicate] for name in CURVES
            ],
        }
        for replicate in sorted({step.replicate for step in steps})
    ]
    error = record.error or ""
    cut = error if len(error) <= _LONGEST_ERROR else f"{error[:_LONGEST_ERROR]}…"
    return {"curves": curves} | ({"error": cut} if cut else {})
