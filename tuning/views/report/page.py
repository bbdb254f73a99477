"""The report's page: which sections there are, and why one is missing; the template lays them out."""

import base64
import gzip
from datetime import UTC, datetime
from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from tuning.memory.settling import describe_memory
from tuning.study.attributes import CLASS_NAMES, COMMAND, ENVIRONMENT, FORGET_REQUESTS, FORGETTING, MEMORY, NOTES
from tuning.study.outcome import Outcome, find_outcome
from tuning.study.plugins import noted_plugins
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord, describe_added_trials
from tuning.views.apply_command import apply_command
from tuning.views.baseline_texts import headline
from tuning.views.plain_values import finite
from tuning.views.report.baselines import baseline_section
from tuning.views.report.chosen_trial import pictures
from tuning.views.report.drawing import label
from tuning.views.report.finalists import finalist_table
from tuning.views.report.gallery import gallery_rows
from tuning.views.report.hovers import hover_texts
from tuning.views.report.sections import figure_sections
from tuning.views.report.tables import confirmation_rows
from tuning.views.report.trial_table import front_rows, trial_data
from tuning.views.spending_text import describe_spending


def render_report(study: StudyReader) -> str:
    """The report as HTML. The same study always gives the same text.

    Args:
        study: May still be under way, or without a single trial.

    Returns:
        A page that needs no other file and no network.
    """
    records, outcome = study.records(), find_outcome(study)
    sections = figure_sections(study, records, outcome)
    drawn = {f"{key}-{i}": figure for key, (titled, _) in sections.items() for i, (_, figure) in enumerate(titled)}
    trials = trial_data(study, outcome) | {"command": apply_command(study.config, "{trial}")}
    return page_template("report.html.jinja").render(
        config=study.config,
        yaml=study.config.to_yaml(),
        facts=_facts(study, records, outcome),
        outcome=outcome,
        headline=headline(outcome),
        baselines=baseline_section(outcome),
        finalists=finalist_table(outcome),
        confirmation=confirmation_rows(outcome),
        sections=sections,
        pictures=pictures(study, outcome),
        gallery=gallery_rows(study, outcome),
        drawn=finite(drawn),
        hovers=hover_texts(drawn.values(), records, study.config.objectives),
        trials=trials,
        front_rows=front_rows(trials),
        environment=study.noted(ENVIRONMENT, {}) | _plugins(study),
        versions=sorted({tuple(sorted(r.versions.items())) for r in records if r.versions}),
        workers=sorted({r.worker for r in records if r.worker}),
        command=study.noted(COMMAND, ""),
        plotly=plotly_script(),
    )


def page_template(name: str, package: str = __package__) -> Template:
    """A template of a package, which may include those of this one; whatever it fills in is escaped."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(each, "") for each in (package, __package__)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return environment.get_template(name)


def _plugins(study: StudyReader) -> dict[str, str]:
    """The plug-ins of a study, where it has any, as a fact of its environment."""
    plugins = noted_plugins(study)
    return {"plug-ins": ", ".join(plugin.describe() for plugin in plugins)} if plugins else {}


def _facts(study: StudyReader, records: list[TrialRecord], outcome: Outcome) -> list[tuple[str, str]]:
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
        *(("From memory", describe_memory(memory)) for memory in [study.noted(MEMORY)] if memory is not None),
        ("Sampler", f"{config.sampler}, seed {config.seed}"),
        *((("Whole request", describe_spending(spending)),) if (spending := outcome.spending).total_s else ()),
        *((("Search ended", spending.stopped_because),) if spending.stopped_because is not None else ()),
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
def plotly_script() -> str:
    """Plotly's script, compressed, as base64: the page inflates it before it draws."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415  (half a second that a search need not wait for)

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode("ascii")
