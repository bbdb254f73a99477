"""What is compared: the chosen trial of each study, the settings that differ, and why figures may not compare."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search_spaces import ChoiceParameter
from tuning.config.objectives import Objective, minimised_point
from tuning.study.attributes import FINGERPRINTS, FORGETTING
from tuning.study.outcome import Outcome, find_outcome
from tuning.study.reader import StudyReader
from tuning.trials.front import minimised
from tuning.trials.pareto import hypervolume
from tuning.views.baseline_texts import ResultRow, result_rows

_OWN = {"name", "runs_dir", "storage_path", "storage", "study_name", "tracking_uri", "log_model"}
_RETAIN_FRACTION = "retain_fraction"
_LONGEST = 300


@dataclass(frozen=True)
class ComparedStudy:
    """One of the studies.

    Attributes:
        name: What it is called; its directory where several have the same name.
        study: The study.
        outcome: Of the study.
        result: The chosen trial's figures, of runs with fresh seeds where there are some; None without a choice.
    """

    name: str
    study: StudyReader
    outcome: Outcome
    result: ResultRow | None


@dataclass(frozen=True)
class Comparison:
    """Studies, in the order that they were named in.

    Attributes:
        studies: At least two.
        differences: Why their figures do not compare, in sentences; empty where they do.
        settings: What differs between their configurations: by key, a text for each study.
        objectives: Those that all of them have.
        hypervolumes: Of their fronts, from the same reference point; None where they do not compare.
        reference: That point, a value for each objective.
    """

    studies: tuple[ComparedStudy, ...]
    differences: tuple[str, ...]
    settings: dict[str, tuple[str, ...]]
    objectives: tuple[Objective, ...]
    hypervolumes: tuple[float, ...] | None
    reference: tuple[float, ...]


def compare(studies: Sequence[StudyReader]) -> Comparison:
    """Computes all that is shown.

    Args:
        studies: At least two; they may be under way.

    Raises:
        DataError: If what a study keeps is damaged.
    """
    compared = tuple(
        ComparedStudy(name, study, outcome, _result(outcome))
        for name, study, outcome in zip(_names(studies), studies, map(find_outcome, studies), strict=True)
    )
    differences = tuple(text for text in (_difference(*aspect, compared) for aspect in _ASPECTS) if text is not None)
    asked = [[(o.metric, o.direction) for o in each.study.config.objectives] for each in compared]
    common = tuple(o for o in studies[0].config.objectives if all((o.metric, o.direction) in each for each in asked))
    reference = compared[0].outcome.reference
    same = not differences and all(each == asked[0] for each in asked)
    volumes = [
        hypervolume([minimised(record, common) for record in each.outcome.front], minimised_point(reference, common))
        for each in (compared if same else ())
    ]
    return Comparison(compared, differences, _settings(compared), common, tuple(volumes) if same else None, reference)


def _result(outcome: Outcome) -> ResultRow | None:
    return next((row for row in result_rows(outcome) if row.row.name == "chosen"), None)


def _names(studies: Sequence[StudyReader]) -> list[str]:
    names = [study.config.name for study in studies]
    return names if len(set(names)) == len(names) else [str(study.config.directory) for study in studies]


def _data(study: StudyReader) -> tuple[str | None, str]:
    return study.noted(FINGERPRINTS, {}).get("data"), Path(str(study.config.data.source)).name


def _forgotten(study: StudyReader) -> tuple[str | None, str]:
    requests = [request.describe() for request in study.config.forget]
    described = study.noted(FORGETTING)
    return "; ".join(requests), "; ".join(described or requests)


def _model(study: StudyReader) -> tuple[str | None, str]:
    return study.noted(FINGERPRINTS, {}).get("model"), study.config.model.name


def _validation(study: StudyReader) -> tuple[str | None, str]:
    return None, study.config.split.model_dump_json()


def _retain_fraction(study: StudyReader) -> tuple[str | None, str]:
    parameter = study.space.parameters.get(_RETAIN_FRACTION)
    if isinstance(parameter, ChoiceParameter):
        return None, f"one of {', '.join(map(str, parameter.choices))}"
    if parameter is not None:
        return None, f"{parameter.low:g} to {parameter.high:g}"
    return None, str(getattr(study.plan.starting_config().method, _RETAIN_FRACTION, "all"))


_Aspect = tuple[str, str, Callable[[StudyReader], tuple[str | None, str]]]
_ASPECTS: tuple[_Aspect, ...] = (
    ("The data sets differ", "images", _data),
    ("What is to be forgotten differs", "images", _forgotten),
    ("The original models differ", "weights", _model),
    ("The validation images differ", "images", _validation),
    ("The retain fractions differ", "values", _retain_fraction),
)


def _difference(
    sentence: str,
    content: str,
    read: Callable[[StudyReader], tuple[str | None, str]],
    compared: Sequence[ComparedStudy],
) -> str | None:
    """That an aspect differs, with what it is in each study; None if it is the same in all."""
    answers = [read(each.study) for each in compared]
    digests, texts = [digest for digest, _ in answers], [text for _, text in answers]
    same = len(set(digests)) == 1 if None not in digests else len(set(texts)) == 1
    if same:
        return None
    if len(set(texts)) == 1:
        return f"{sentence}: all are called {texts[0]}, but have different {content}."
    named = "; ".join(f"{each.name}: {_cut(text)}" for each, text in zip(compared, texts, strict=True))
    return f"{sentence} ({named})."


def _settings(compared: Sequence[ComparedStudy]) -> dict[str, tuple[str, ...]]:
    flat = [_flat(each.study.config.model_dump(mode="json", exclude=_OWN)) for each in compared]
    keys = dict.fromkeys(key for values in flat for key in values)
    rows = {key: tuple(_cut(values.get(key, "-")) for values in flat) for key in keys}
    return {key: texts for key, texts in rows.items() if len(set(texts)) > 1}


def _flat(values: Any, key: str = "") -> dict[str, str]:
    """Nested settings by dotted keys, as they are written."""
    if isinstance(values, dict) and values:
        items = [_flat(value, f"{key}.{name}" if key else str(name)) for name, value in values.items()]
        return {name: text for each in items for name, text in each.items()}
    return {key: values if isinstance(values, str) else json.dumps(values, ensure_ascii=False)}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
