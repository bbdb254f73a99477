"""From the flags of `run` and `unlearn` to their configurations, and back to the command."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from antisample.config import UnlearnConfig, validation_problems
from antisample.data.class_names import split_names
from antisample.data.forget_request import ForgetRequest
from antisample.errors import ConfigError
from antisample.export.chain import begun_after
from search_spaces import published_set
from tuning.cli.overriding import model_values
from tuning.config.loading import override_value, parse_study
from tuning.config.study import StudyConfig

_LONGEST_NAME = 120
WITH_STUDY = (
    "forget",
    "forget_samples",
    "forget_column",
    "forget_value",
    "duplicates",
    "accept_original",
    "reference",
    "operator",
)
"""Flags of `unlearn` that can be used with `--study`."""


@dataclass(frozen=True, kw_only=True)
class TaskFlags:
    """What `run` takes instead of a study file: data, model and forget request, as the command line gives them."""

    model: str | None = None
    checkpoint: Path | None = None
    normalisation: str | None = None
    accept_original: bool = False
    dataset: str | None = None
    root: Path | None = None
    forget: list[str] | None = None
    forget_samples: Path | None = None
    forget_column: str | None = None
    forget_value: list[str] | None = None
    duplicates: str | None = None


@dataclass(frozen=True, kw_only=True)
class UnlearnFlags:
    """What `unlearn` takes instead of a study; in the order in which `unlearn_command` writes them."""

    published: str | None = None
    method: str | None = None
    forget: list[str] | None = None
    forget_samples: Path | None = None
    forget_column: str | None = None
    forget_value: list[str] | None = None
    duplicates: str | None = None
    dataset: str | None = None
    root: Path | None = None
    model: str | None = None
    checkpoint: Path | None = None
    normalisation: str | None = None
    accept_original: bool = False
    after: Path | None = None
    reference: str | None = None
    operator: str | None = None
    seed: int = 0
    overrides: list[str] | None = None


def direct_config(flags: UnlearnFlags) -> tuple[UnlearnConfig, dict[str, Any]]:
    """One unlearning without a study.

    Args:
        flags: As the command line gives them.

    Returns:
        The configuration, and where its hyperparameters come from.

    Raises:
        ConfigError: If something is missing or wrong.
        SpaceError: If there is no such published set.
    """
    method: dict[str, Any] = {"name": flags.method or "antisample"}
    model_name, dataset = flags.model, flags.dataset
    origin = {"origin": f"defaults of {method['name']}"}
    if flags.published is not None:
        if flags.method not in (None, "antisample"):
            raise ConfigError("`--published` sets belong to the method antisample; omit `--method`.")
        published = published_set(flags.published)
        method |= published.parameters
        origin = {"origin": f"published {published.name}"}
        model_name = model_name or published.name.split("/")[0]
        dataset = dataset or published.name.split("/")[1]
    missing = [
        f"`--{flag}` is required without `--study`{hint}."
        for flag, value, hint in (
            ("forget", _names_a_request(flags), " or `--forget-samples` or `--forget-column`"),
            ("dataset", dataset, " or `--published`"),
            ("model", model_name, " or `--published`"),
        )
        if not value
    ]
    if missing or model_name is None or dataset is None:
        raise ConfigError(missing)
    values = {**_task(flags, model_name, dataset), "method": method, "seed": flags.seed}
    for override in flags.overrides or []:
        override_value(values, override, UnlearnConfig)
    values |= noted_request(flags.reference, flags.operator)
    if flags.after is not None:
        values["after"] = flags.after
    return UnlearnConfig.parse(begun_after(values)), origin


def noted_request(reference: str | None, operator: str | None) -> dict[str, Any]:
    """What `--reference` and `--operator` note of a request; nothing if neither is given."""
    noted = {"reference": reference, "operator": operator}
    given = {name: value for name, value in noted.items() if value is not None}
    return {"request": given} if given else {}


def study_of_flags(flags: TaskFlags, overrides: Sequence[str]) -> StudyConfig:
    """The study that the flags of `run` ask for, without a YAML file.

    Args:
        flags: As the command line gives them.
        overrides: What `--set` and `--select` say.

    Raises:
        ConfigError: With every problem found.
    """
    missing = [
        f"`--{flag}` is required without STUDY.yaml{hint}."
        for flag, value, hint in (
            ("model", flags.model, ""),
            ("data", flags.dataset, ""),
            ("forget", _names_a_request(flags), " or `--forget-samples` or `--forget-column`"),
        )
        if not value
    ]
    if missing or flags.model is None or flags.dataset is None:
        raise ConfigError(missing)
    values = _task(flags, flags.model, flags.dataset)
    forgotten = "-".join(values["forget"].get("classes") or values["forget"].get("value") or ())
    forgotten = flags.forget_samples.stem if flags.forget_samples else forgotten
    source = Path(flags.dataset).resolve().name
    name = f"{re.split('[.:]', flags.model)[-1]}-{source}-forget-{forgotten}"
    values["name"] = _short_name(re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip("._-"))
    for override in overrides:
        override_value(values, override, StudyConfig)
    return parse_study(values)


def _short_name(name: str) -> str:
    """A name that a folder can have, another one for every long name: it may list a hundred classes."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"


def forget_request(study: StudyConfig, flags: UnlearnFlags) -> ForgetRequest:
    """What a trial of a study is applied to: what flags say, or the study's request if it has a single one.

    Copies are treated as the study says, unless `--duplicates` says otherwise.

    Raises:
        ConfigError: If the study has several, and nothing says which is meant.
    """
    duplicates = flags.duplicates or study.forget[0].duplicates
    if _names_a_request(flags):
        return _parsed_request({**_forget(flags), "duplicates": duplicates})
    if len(study.forget) > 1:
        requests = "; ".join(request.describe() for request in study.forget)
        raise ConfigError(f"`--forget` is required, since the study has several forget requests: {requests}.")
    return _parsed_request({**study.forget[0].model_dump(), "duplicates": duplicates})


def _parsed_request(values: dict[str, Any]) -> ForgetRequest:
    try:
        return ForgetRequest(**values)
    except ValidationError as error:
        raise ConfigError(validation_problems(error)) from error


def _task(flags: TaskFlags | UnlearnFlags, model: str, dataset: str) -> dict[str, Any]:
    """Data, model and forget request."""
    return {
        "data": {"source": dataset, "root": flags.root},
        "model": model_values(model, flags.checkpoint, flags.normalisation, accept_original=flags.accept_original),
        "forget": _forget(flags),
    }


def _names_a_request(flags: TaskFlags | UnlearnFlags) -> bool:
    """Whether flags say what to forget."""
    return bool(flags.forget or flags.forget_samples or flags.forget_column or flags.forget_value)


def _forget(flags: TaskFlags | UnlearnFlags) -> dict[str, Any]:
    """The request that flags make.

    Raises:
        ConfigError: If several kinds of request are given, or one of `--forget-column` and `--forget-value` alone.
    """
    kinds = {
        "--forget": flags.forget,
        "--forget-samples": flags.forget_samples,
        "--forget-column": flags.forget_column or flags.forget_value,
    }
    given = [name for name, value in kinds.items() if value]
    if len(given) > 1:
        raise ConfigError(f"`{given[0]}` and `{given[1]}` are different requests, so they cannot be used together.")
    if bool(flags.forget_column) != bool(flags.forget_value):
        present, absent = ("column", "value") if flags.forget_column else ("value", "column")
        raise ConfigError(f"`--forget-{present}` needs `--forget-{absent}`.")
    stated = {"duplicates": flags.duplicates} if flags.duplicates else {}
    if flags.forget_samples is not None:
        return {"samples": flags.forget_samples, **stated}
    if flags.forget_column:
        return {"column": flags.forget_column, "value": flags.forget_value, **stated}
    return {"classes": [c for text in flags.forget or () for c in split_names(text)], **stated}
