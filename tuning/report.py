"""The HTML report of a study: one file that opens offline, with figures, tables and everything behind them."""

import base64
import gzip
import os
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial
from plotly.offline import get_plotlyjs

from search_spaces import ChoiceParameter
from tuning import figures
from tuning.figures import Figure, label, shown
from tuning.outcome import Confirmation, Outcome, Spread, find_outcome
from tuning.records import TrialRecord
from tuning.study import Study, resolved_yaml

_ENOUGH_FOR_IMPORTANCE = 8
_LONGEST_ERROR = 2000
_LONGEST_LINE = 240
_KEY_METRICS = tuple(
    f"{part}/{name}"
    for part in ("validation", "test")
    for name in ("forget_accuracy", "retain_accuracy", "forget_confidence")
)


class Cell(NamedTuple):
    """One cell of a table.

    Attributes:
        text: What is shown.
        order: What sorting goes by; empty cells come last.
        note: Shown smaller behind the text.
        more: Shown on request, such as the rest of an error text.
    """

    text: str
    order: float | str = ""
    note: str = ""
    more: str = ""


def write_report(study: Study, path: Path) -> None:
    """Writes the report in one step: a reader sees the old file or the new one.

    Args:
        study: May still be under way.
        path: Where to.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(render_report(study), encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def render_report(study: Study) -> str:
    """The report as HTML. The same study always gives the same text.

    Args:
        study: May still be under way, or without a single trial.

    Returns:
        A page that needs no other file and no network.
    """
    records, outcome = study.records(), find_outcome(study)
    sections = _figures(study, records, outcome)
    environment = Environment(
        loader=PackageLoader("tuning", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return environment.get_template("report.html.jinja").render(
        config=study.config,
        yaml=resolved_yaml(study.config),
        facts=_facts(study, records),
        outcome=outcome,
        key_metrics=[label(name) for name in _KEY_METRICS],
        key_rows=_key_rows(outcome),
        confirmation=_confirmation_rows(outcome),
        sections=sections,
        drawn={f"{key}-{i}": figure for key, (found, _) in sections.items() for i, (_, figure) in enumerate(found)},
        headings=_headings(study),
        rows=[_row(record, study, outcome) for record in records],
        environment=study.noted("environment", {}),
        versions=sorted({tuple(sorted(r.versions.items())) for r in records if r.versions}),
        workers=sorted({r.worker for r in records if r.worker}),
        command=study.noted("command", ""),
        plotly=_plotly(),
    )


def _figures(
    study: Study, records: list[TrialRecord], outcome: Outcome
) -> dict[str, tuple[list[tuple[str, Figure]], list[str]]]:
    """By section: titled figures, and reasons for those that are missing."""
    objectives = study.config.objectives
    complete = [record for record in records if record.state == "COMPLETE"]
    nothing = ["No trial has finished yet."]
    epochs = [
        (label(name).capitalize(), name) for name in ("validation/forget_accuracy", "validation/retain_accuracy")
    ]
    found: dict[str, tuple[list[tuple[str, Figure]], list[str]]] = {
        key: ([], nothing) for key in ("pareto", "history", "importance", "parallel")
    }
    found["curves"] = ([], ["No trial has reported an epoch yet."])
    if any(record.steps for record in records):
        found["curves"] = ([(title, figures.curves(records, outcome, name)) for title, name in epochs], [])
    if not complete:
        return found
    if len(objectives) < 2:
        found["pareto"] = (
            [],
            ["The study has a single objective, so there is no trade-off to draw; see the history."],
        )
    else:
        reasons = ["Of more than two objectives the first two are drawn."] if len(objectives) > 2 else []
        found["pareto"] = ([("", figures.pareto(records, outcome, objectives))], reasons)
    history, reasons = [], []
    if len(objectives) > 2:
        reasons = ["The hypervolume over time is drawn for at most two objectives."]
    else:
        volumes = figures.hypervolume_history(records, objectives, outcome.reference)
        history.append(("Hypervolume of the front", volumes))
    for at, objective in enumerate(objectives):
        history.append(
            (label(objective.metric).capitalize(), figures.objective_history(records, outcome, objectives, at))
        )
    found["history"] = (history, reasons)
    found["importance"] = _importance(study, complete)
    found["parallel"] = ([("", figures.parallel(records, outcome, objectives, study.space))], [])
    return found


def _importance(study: Study, complete: list[TrialRecord]) -> tuple[list[tuple[str, Figure]], list[str]]:
    if len(complete) < _ENOUGH_FOR_IMPORTANCE:
        return [], [
            f"Importance needs at least {_ENOUGH_FOR_IMPORTANCE} completed trials; the study has {len(complete)}."
        ]
    found, reasons = [], []
    for at, objective in enumerate(study.config.objectives):
        title = label(objective.metric).capitalize()
        if len({record.values[at] for record in complete if record.values}) < 2:
            reasons.append(f"{title}: every trial has the same value, so no parameter explains a difference.")
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importances = get_param_importances(
                study.optuna_study(),
                evaluator=PedAnovaImportanceEvaluator(),
                target=_target(at, objective.sign()),
            )
        if sum(importances.values()) > 0:
            found.append((title, figures.importance_bars({name: float(v) for name, v in importances.items()})))
        else:
            reasons.append(f"{title}: no parameter tells the best trials from the others.")
    return found, reasons


def _target(at: int, sign: int) -> Callable[[FrozenTrial], float]:
    """The evaluator explains what makes the target small."""
    return lambda trial: sign * trial.values[at]


def _facts(study: Study, records: list[TrialRecord]) -> list[tuple[str, str]]:
    config = study.config
    states = [record.state for record in records]
    names: list[str] = study.noted("class_names", [])
    forgotten = [
        f"{c} ({names[c]})" if c < len(names) and names[c] != str(c) else str(c)
        for c in study.noted("forget_classes", [])
    ]
    ends = [record.finished_ms for record in records if record.finished_ms is not None]
    facts = [
        ("Method", config.method),
        ("Model", config.model.name),
        ("Data", str(config.data.source)),
        ("Forgotten", ", ".join(forgotten or [str(c) for c in config.forget.classes])),
        ("Objectives", ", ".join(f"{o.direction} {label(o.metric)}" for o in config.objectives)),
        ("Sampler", f"{config.sampler}, seed {config.seed}"),
        ("Trials", ", ".join(f"{states.count(s)} {s.lower()}" for s in dict.fromkeys(states)) or "none yet"),
    ]
    if records:
        last = _time(max(ends)) if ends else "none yet"
        facts += [("First trial started", _time(records[0].started_ms)), ("Last trial ended", last)]
    return facts


def _key_rows(outcome: Outcome) -> list[tuple[str, list[Cell]]]:
    rows = []
    if outcome.original:
        cells = [_figure_cell(name, outcome.original, outcome.original_counts) for name in _KEY_METRICS]
        rows.append(("original model", cells))
    for role, record in (("", outcome.published), ("chosen", outcome.chosen)):
        if record is not None:
            cells = [_figure_cell(name, record.metrics, record.counts, record.spread) for name in _KEY_METRICS]
            rows.append((f"{role or record.origin}: trial {record.number}", cells))
    return rows


def _confirmation_rows(outcome: Outcome) -> list[tuple[str, str, list[str], str]]:
    """Rows of metric, images, a text a confirmation, and the paired difference."""
    return [
        (
            label(name),
            str(_count(name, outcome.confirmations[0].counts) or ""),
            [_spread_text(name, confirmation) for confirmation in outcome.confirmations],
            _difference(name, outcome.paired[name]) if name in outcome.paired else "",
        )
        for name in (*_KEY_METRICS[3:], *_KEY_METRICS[:3])
        if outcome.confirmations and all(name in c.metrics for c in outcome.confirmations)
    ]


def _spread_text(name: str, confirmation: Confirmation) -> str:
    spread = confirmation.metrics[name]
    return f"{shown(name, spread.mean)} ± {_deviation(name, spread)} (n = {spread.n})"


def _difference(name: str, spread: Spread) -> str:
    percent = name.endswith("accuracy")
    mean = f"{100 * spread.mean:+.1f} points" if percent else f"{spread.mean:+.3f}"
    return f"{mean} ± {_deviation(name, spread)} (n = {spread.n})"


def _deviation(name: str, spread: Spread) -> str:
    if spread.n < 2:
        return "?"
    return f"{100 * spread.std:.1f}" if name.endswith("accuracy") else f"{spread.std:.3f}"


def _headings(study: Study) -> list[tuple[str, bool]]:
    """Headings of the trial table, and whether numbers stand below them."""
    parameters = study.space.parameters
    metrics = [label(name) for name in _KEY_METRICS]
    names = ["trial", "state", "place", "origin", *parameters, *metrics, "epochs done", "seconds", "error"]
    texts = {"state", "place", "origin", "error"}
    texts |= {name for name, parameter in parameters.items() if isinstance(parameter, ChoiceParameter)}
    return [(name, name not in texts) for name in names]


def _row(record: TrialRecord, study: Study, outcome: Outcome) -> tuple[str, list[Cell]]:
    """The place of a trial, `chosen`, `front` or nothing, and its cells."""
    place = "front" if record.number in {r.number for r in outcome.front} else ""
    if outcome.chosen is not None and record.number == outcome.chosen.number:
        place = "chosen"
    error = (record.error or "")[:_LONGEST_ERROR] + ("…" if len(record.error or "") > _LONGEST_ERROR else "")
    first, _, rest = error.strip().partition("\n")
    if len(first) > _LONGEST_LINE:
        first, rest = f"{first[:_LONGEST_LINE]}…", error
    params = [record.params.get(name) for name in study.space.parameters]
    cells = [
        Cell(str(record.number), record.number),
        Cell(record.state.lower(), record.state),
        Cell(place, place),
        Cell(record.origin, record.origin),
        *(Cell("") if value is None else Cell(shown("", value), _order(value)) for value in params),
        *(_figure_cell(name, record.metrics, record.counts, record.spread) for name in _KEY_METRICS),
        Cell(str(record.fidelity), record.fidelity),
        Cell(f"{record.duration_s:.1f}", record.duration_s),
        Cell(first, first, more=rest),
    ]
    return place, cells


def _figure_cell(
    name: str, metrics: dict[str, float], counts: dict[str, int], spread: dict[str, float] | None = None
) -> Cell:
    """A metric with its image count, and its spread over replicates where there are several."""
    if name not in metrics:
        return Cell("")
    text = shown(name, float(metrics[name]))
    if spread and name in spread:
        text += f" ± {100 * spread[name]:.1f}" if name.endswith("accuracy") else f" ± {spread[name]:.3f}"
    count = _count(name, counts)
    return Cell(text, metrics[name], f"of {count} images" if count is not None and name.endswith("accuracy") else "")


def _count(name: str, counts: dict[str, int]) -> int | None:
    part, _, rest = name.partition("/")
    return counts.get(f"{part}/{rest.partition('_')[0]}")


def _order(value: Any) -> float | str:
    return float(value) if isinstance(value, int | float) else str(value)


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@cache
def _plotly() -> str:
    """Plotly's script, compressed, as base64: the page inflates it before it draws."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode("ascii")
