"""What one earlier study tells: which request it was for, and how each of its trials came out."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from antisample.data.forget_request import ForgetRequest
from antisample.methods import find_method
from search_spaces import Value
from search_spaces.rules import unusable
from tuning.config.objectives import ELAPSED, RETAIN
from tuning.config.study import StudyConfig
from tuning.study.attributes import FINGERPRINTS, FORGET_REQUESTS, ORIGINAL
from tuning.study.reader import StudyReader

KEPT_METRICS = tuple(
    f"validation/{name}"
    for name in (
        "forget_accuracy",
        "retain_accuracy",
        "forget_confidence",
        "forget_gap",
        "forget_loss",
        "retain_loss",
        "mia_loss",
        "probe_left",
        "probe_error",
        "mask_drop",
        "mask_drop_error",
    )
)
"""All that the selection rule reads of a trial; see `tuning.trials.selection`."""


@dataclass(frozen=True)
class Request:
    """What was to be forgotten, and by which model.

    Attributes:
        model: Fingerprint of the original model.
        architecture: Name of its network.
        data: Fingerprint of the data.
        forget: The classes by label, or a digest of the samples; see `forget_key`.
        by_samples: Whether single images were to be forgotten, not classes.
    """

    model: str
    architecture: str
    data: str
    forget: str
    by_samples: bool


@dataclass(frozen=True)
class EarlierTrial:
    """A finished trial.

    Attributes:
        number: In its study.
        values: All hyperparameters of the method: searched, fixed, and the rest at their defaults.
        metrics: Validation metrics, those of `KEPT_METRICS` that it has; all are finite.
        counts: Images behind them, by `validation/forget` and `validation/retain`.
        allowed: Whether it keeps the constraints of its own study.
    """

    number: int
    values: dict[str, Value]
    metrics: dict[str, float]
    counts: dict[str, int]
    allowed: bool = True


@dataclass(frozen=True)
class EarlierStudy:
    """A study as the memory has it.

    Attributes:
        name: Of the study.
        method: The unlearning method that it tuned.
        request: What it was for.
        forgotten: The same in words, such as "cat, dog".
        original: Validation retain accuracy of the original model; None where that is unknown.
        trials: Finished ones, by number.
    """

    name: str
    method: str
    request: Request
    forgotten: str
    original: float | None
    trials: tuple[EarlierTrial, ...]


def forget_key(config: StudyConfig, labels: Iterable[Iterable[int]]) -> str:
    """What names the forget requests of a study, in whatever order and spelling they were given.

    Args:
        config: The study.
        labels: The classes of each request, by label.
    """
    if config.by_samples:
        return " ".join(sorted(map(_images_digest, config.forget)))
    return json.dumps(sorted(sorted(map(int, each)) for each in labels))


def _images_digest(request: ForgetRequest) -> str:
    images = request.samples or (request.column, request.value)
    return hashlib.blake2b(repr(images).encode(), digest_size=12).hexdigest()


def request_of(config: StudyConfig, fingerprints: Mapping[str, str], labels: Iterable[Iterable[int]]) -> Request:
    """The request of a study.

    Args:
        config: The study.
        fingerprints: Of data and model; an unknown one is empty and equals none.
        labels: See `forget_key`.
    """
    return Request(
        fingerprints.get("model", ""),
        config.model.name,
        fingerprints.get("data", ""),
        forget_key(config, labels),
        config.by_samples,
    )


def evidence_of(study: StudyReader) -> EarlierStudy:
    """What a study tells.

    Raises:
        AntisampleError: If what it keeps is damaged.
    """
    config = study.config
    original = (study.noted(ORIGINAL) or {}).get(RETAIN)
    fingerprints, labels = study.noted(FINGERPRINTS) or {}, study.noted(FORGET_REQUESTS) or []
    trials = []
    for record in study.records():
        if record.state == "COMPLETE":
            figures = {**record.metrics, ELAPSED: record.unlearning_s}
            allowed = all(limit.metric in figures and limit.violation(figures) <= 0 for limit in config.constraints)
            values = settled_values(config.method, study.plan.method_values(record.params))
            trials.append(EarlierTrial(record.number, values, kept(record.metrics), dict(record.counts), allowed))
    return EarlierStudy(
        config.name,
        config.method,
        request_of(config, fingerprints, labels),
        "; ".join(request.describe() for request in config.forget),
        original if original is not None and math.isfinite(original) else None,
        tuple(trial for trial in trials if is_usable(trial)),
    )


def settled_values(method: str, values: Mapping[str, Any]) -> dict[str, Value]:
    """All hyperparameters of a method: what was given, and the rest at their defaults.

    So a trial of an earlier version counts as one with the parameters that came later at their defaults.
    """
    fields = find_method(method).config_type.model_fields
    defaults = {name: field.default for name, field in fields.items() if name != "name"}
    return {name: value for name, value in {**defaults, **values}.items() if value is not None}


def kept(metrics: Mapping[str, float]) -> dict[str, float]:
    """Of the metrics of a trial those that the memory keeps and that are finite."""
    return {name: metrics[name] for name in KEPT_METRICS if math.isfinite(metrics.get(name, math.nan))}


def is_usable(trial: EarlierTrial) -> bool:
    """Whether a trial can be judged, and its values be tried: accuracies and plain values."""
    judged = "validation/forget_accuracy" in trial.metrics and RETAIN in trial.metrics
    return judged and all(unusable(value) is None for value in trial.values.values())
