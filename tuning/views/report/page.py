"""The report's page: which sections there are, and why one is missing; the template lays them out."""

import base64
import gzip
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from optuna.trial import FrozenTrial

from tuning.study.attributes import CLASS_NAMES, COMMAND, ENVIRONMENT, FORGET_REQUESTS, FORGETTING, NOTES
from tuning.study.outcome import Outcome, find_outcome
from tuning.study.plugins import noted_plugins
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord, describe_added_trials
from tuning.views.apply_command import apply_command
from tuning.views.baseline_texts import headline
from tuning.views.plain_values import finite
from tuning.views.report import figures
from tuning.views.report.baselines import baseline_section
from tuning.views.report.chosen_trial import confusion_figures, pictures
from tuning.views.report.drawing import Figure, label
from tuning.views.report.fronts import front_figures
from tuning.views.report.parallel import parallel
from tuning.views.report.tables import confirmation_rows
from tuning.views.report.timeline import timeline
from tuning.views.report.trial_table import front_rows, trial_data

_ENOUGH_FOR_IMPORTANCE = 8


def render_report(study: StudyReader) -> str:
    """The report as HTML. The same study always gives the same text.

    Args:
        study: May still be under way, or without a single trial.

    Returns:
        A page that needs no other file and no network.
    """
    records, outcome = study.records(), find_outcome(study)
    sections = _figures(study, records, outcome)
    trials = trial_data(study, outcome) | {"command": apply_command(study.config, "{trial}")}
    environment = Environment(
        loader=PackageLoader("tuning.views.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return environment.get_template("report.html.jinja").render(
        config=study.config,
        yaml=study.config.to_yaml(),
        facts=_facts(study, records),
        outcome=outcome,
        headline=headline(outcome),
        baselines=baseline_section(outcome),
        confirmation=confirmation_rows(outcome),
        sections=sections,
        pictures=pictures(study, outcome),
        drawn={
            f"{key}-{i}": finite(figure)
            for key, (titled, _) in sections.items()
            for i, (_, figure) in enumerate(titled)
        },
        trials=trials,
        front_rows=front_rows(trials),
        environment=study.noted(ENVIRONMENT, {}) | _plugins(study),
        versions=sorted({tuple(sorted(r.versions.items())) for r in records if r.versions}),
        workers=sorted({r.worker for r in records if r.worker}),
        command=study.noted(COMMAND, ""),
        plotly=_plotly(),
    )


def _plugins(study: StudyReader) -> dict[str, str]:
    """The plug-ins of a study, where it has any, as a fact of its environment."""
    plugins = noted_plugins(study)
    return {"plug-ins": ", ".join(plugin.describe() for plugin in plugins)} if plugins else {}


def _figures(
    study: StudyReader, records: list[TrialRecord], outcome: Outcome
) -> dict[str, tuple[list[tuple[str, Figure]], list[str]]]:
    """By section: titled figures, and reasons for those that are missing."""
    objectives = study.config.objectives
    complete = [record for record in records if record.state == "COMPLETE"]
    nothing = ["No trial has finished yet."]
    epochs = [
        (label(name).capitalize(), name) for name in ("validation/forget_accuracy", "validation/retain_accuracy")
    ]
    sections: dict[str, tuple[list[tuple[str, Figure]], list[str]]] = {
        key: ([], nothing) for key in ("pareto", "history", "importance", "parallel")
    }
    sections["curves"] = sections["timeline"] = ([], ["No trial has reported an epoch yet."])
    if any(record.steps for record in records):
        sections["curves"] = ([(title, figures.curves(records, outcome, name)) for title, name in epochs], [])
        sections["timeline"] = ([("", timeline(records))], [])
    sections["confusion"] = confusion_figures(study, outcome)
    if not complete:
        return sections
    sections["pareto"] = front_figures(records, outcome, study.config)
    over_trials, over_seconds = figures.hypervolume_histories(
        records, objectives, outcome.reference, study.config.constraints
    )
    history = [("Hypervolume over trials", over_trials), ("Hypervolume over seconds", over_seconds)]
    for at, objective in enumerate(objectives):
        history.append(
            (
                label(objective.metric).capitalize(),
                figures.objective_history(records, outcome, objectives, at, study.config.constraints),
            )
        )
    sections["history"] = (history, [])
    sections["importance"] = _importance(study, complete)
    sections["parallel"] = ([("", parallel(records, outcome, objectives, study.space))], [])
    return sections


def _importance(study: StudyReader, complete: list[TrialRecord]) -> tuple[list[tuple[str, Figure]], list[str]]:
    if len(complete) < _ENOUGH_FOR_IMPORTANCE:
        return [], [
            f"Importance requires at least {_ENOUGH_FOR_IMPORTANCE} completed trials; the study has {len(complete)}."
        ]
    # Loads scikit-learn's forests, which a search does not need before its end.
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances  # noqa: PLC0415

    bars, reasons = [], []
    for at, objective in enumerate(study.config.objectives):
        title = label(objective.metric).capitalize()
        if len({record.values[at] for record in complete if record.values}) < 2:
            reasons.append(f"{title}: every trial has the same value, so there is no difference to explain.")
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importances = get_param_importances(
                study.own_study(),
                evaluator=PedAnovaImportanceEvaluator(),
                target=_target(at, objective.sign()),
            )
        if sum(importances.values()) > 0:
            bars.append((title, figures.importance_bars({name: float(v) for name, v in importances.items()})))
        else:
            reasons.append(f"{title}: no parameter distinguishes the best trials from the others.")
    return bars, reasons


def _target(at: int, sign: int) -> Callable[[FrozenTrial], float]:
    """The evaluator explains what makes the target small."""
    return lambda trial: sign * trial.values[at]


def _facts(study: StudyReader, records: list[TrialRecord]) -> list[tuple[str, str]]:
    config = study.config
    states = [record.state for record in records]
    ends = [record.finished_ms for record in records if record.finished_ms is not None]
    facts = [
        ("Method", config.method),
        ("Model", config.model.name),
        ("Data", str(config.data.source)),
        ("Forgotten", "; ".join(_forgotten(study))),
        *(("Note", note) for note in study.noted(NOTES, [])),
        *(("Note", note) for note in [describe_added_trials(study.by_hand())] if note is not None),
        ("Objectives", ", ".join(f"{o.direction} {label(o.metric)}" for o in config.objectives)),
        ("Sampler", f"{config.sampler}, seed {config.seed}"),
        ("Trials", ", ".join(f"{states.count(s)} {s.lower()}" for s in dict.fromkeys(states)) or "none yet"),
    ]
    if records:
        last = _time(max(ends)) if ends else "none yet"
        facts += [("First trial started", _time(records[0].started_ms)), ("Last trial ended", last)]
    return facts


def _forgotten(study: StudyReader) -> list[str]:
    """What each request forgets; studies from before the note say names and labels alone."""
    config, names = study.config, study.noted(CLASS_NAMES, [])
    by_label = [
        " and ".join(f"{c} ({names[c]})" if c < len(names) and names[c] != str(c) else str(c) for c in classes)
        for classes in study.noted(FORGET_REQUESTS, [])
        if not config.by_samples
    ]
    return study.noted(FORGETTING) or by_label or [request.describe() for request in config.forget]


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@cache
def _plotly() -> str:
    """Plotly's script, compressed, as base64: the page inflates it before it draws."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415  (half a second that a search need not wait for)

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode("ascii")
