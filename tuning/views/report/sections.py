"""Which figures the report has: by section, titled figures, and sentences on them or on why one is missing."""

import math

from tuning.config.objectives import Objective
from tuning.study.outcome import Outcome
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord
from tuning.views.report.chosen_trial import confusion_figures
from tuning.views.report.curves import curves
from tuning.views.report.drawing import Figure, completed, label
from tuning.views.report.fronts import front_figures
from tuning.views.report.histories import hypervolume_histories, objective_history
from tuning.views.report.importance import ENOUGH, RELIABLE, Importance, find_importance, importance_bars
from tuning.views.report.parallel import parallel
from tuning.views.report.relearning import relearning_figures
from tuning.views.report.slices import rank_figure, slice_figure
from tuning.views.report.thinning import MOST_LINES, MOST_POINTS, most_in_a_slice, thinning_note
from tuning.views.report.timeline import timeline

Section = tuple[list[tuple[str, Figure]], list[str]]
_CURVES = ("validation/forget_accuracy", "validation/retain_accuracy")


def figure_sections(study: StudyReader, records: list[TrialRecord], outcome: Outcome) -> dict[str, Section]:
    """By section: titled figures, and notes."""
    objectives, complete = study.config.objectives, completed(records)
    nothing = ["No trial has finished yet."]
    sections: dict[str, Section] = {key: ([], nothing) for key in ("pareto", "history", "importance", "parallel")}
    sections["curves"] = sections["timeline"] = ([], ["No trial has reported an epoch yet."])
    if any(record.steps for record in records):
        drawn = [(_title(name), curves(records, outcome, name)) for name in _CURVES]
        sections["curves"] = (drawn, thinning_note(len(records), MOST_LINES))
        sections["timeline"] = ([("", timeline(records))], [])
    sections["confusion"] = confusion_figures(study, outcome)
    sections["relearning"] = (relearning_figures(outcome), [])
    if not complete:
        return sections
    sections["pareto"] = front_figures(records, outcome, study.config)
    over_trials, over_seconds = hypervolume_histories(
        records, objectives, outcome.reference, study.config.constraints
    )
    history = [("Hypervolume over trials", over_trials), ("Hypervolume over seconds", over_seconds)]
    for at, objective in enumerate(objectives):
        figure = objective_history(records, outcome, objectives, at, study.config.constraints)
        history.append((_title(objective.metric), figure))
    sections["history"] = (history, thinning_note(len(complete), MOST_POINTS))
    sections["importance"] = _importance(study, complete, outcome)
    drawn = [("", parallel(records, outcome, objectives, study.space))]
    sections["parallel"] = (drawn, thinning_note(len(complete), MOST_LINES))
    return sections


def _importance(study: StudyReader, complete: list[TrialRecord], outcome: Outcome) -> Section:
    """Slices, then the two most important hyperparameters, then importance: what it is computed from comes first."""
    objectives, space = study.config.objectives, study.space
    slices = [
        (f"{_title(o.metric)} over each hyperparameter", slice_figure(complete, outcome, objectives, at, space))
        for at, o in enumerate(objectives)
    ]
    panels = sum(any(name in record.params for record in complete) for name in space.order())
    notes = thinning_note(len(complete), most_in_a_slice(panels))
    if len(complete) < ENOUGH:
        notes.append(f"Importance requires at least {ENOUGH} completed trials; the study has {len(complete)}.")
        return slices, notes
    ranks: list[tuple[str, Figure]] = []
    bars: list[tuple[str, Figure]] = []
    rare: tuple[str, ...] = ()
    for at, objective in enumerate(objectives):
        title = _title(objective.metric)
        if not _differ(complete, at):
            notes.append(f"{title}: every trial has the same value, so there is no difference to explain.")
            continue
        importance = find_importance(study.own_study(), at, objective)
        rare = importance.too_rare
        if not any((*importance.unconditional.values(), *importance.conditional.values())):
            notes.append(f"{title}: no hyperparameter explains the differences between trials.")
            continue
        bars.append((f"Importance for {label(objective.metric)}", importance_bars(importance)))
        ranks += _rank(complete, objective, importance, study, outcome.chosen)
    if rare:
        notes.append(f"Fewer than {ENOUGH} trials have {' or '.join(rare)}, too few to judge importance.")
    if bars and len(complete) < RELIABLE:
        notes.append(
            f"The importance of {len(complete)} trials is unreliable: with fewer than {RELIABLE}, a few of them "
            "decide. Look at the trials themselves first."
        )
    return [*slices, *ranks, *bars], notes


def _rank(
    complete: list[TrialRecord],
    objective: Objective,
    importance: Importance,
    study: StudyReader,
    chosen: TrialRecord | None,
) -> list[tuple[str, Figure]]:
    """The two most important hyperparameters, if there are two that some trial has both of."""
    names = [name for name in importance.order if name in study.space.parameters][:2]
    if len(names) < 2 or not any(all(name in record.params for name in names) for record in complete):
        return []
    title = f"{names[0]} and {names[1]}, coloured by the rank in {label(objective.metric)}"
    return [(title, rank_figure(complete, objective, (names[0], names[1]), study.space, chosen))]


def _differ(complete: list[TrialRecord], at: int) -> bool:
    values = {record.values[at] for record in complete if record.values}
    return len({value for value in values if math.isfinite(value)}) > 1


def _title(metric: str) -> str:
    return label(metric).capitalize()
