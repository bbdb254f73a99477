"""From the flags of `run` and `unlearn` to their configurations, and back to the command."""

import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from antisample.config import UnlearnConfig, validation_problems
from antisample.data.class_names import split_names
from antisample.data.forget_request import ForgetRequest
from antisample.errors import ConfigError
from antisample.export.chain import begun_after
from antisample.export.local_paths import relative_path
from antisample.models.normalisation import NORMALISATIONS
from antisample.validation.spelling import did_you_mean
from search_spaces import published_set
from tuning.config.budget import Budget
from tuning.config.loading import override_value, parse_study
from tuning.config.study import StudyConfig
from tuning.config.tracking_address import tracking_problem

_LONGEST_NAME = 120
_PATHS = ("study", "forget_samples", "dataset", "root", "checkpoint", "after")
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
_Config = TypeVar("_Config", StudyConfig, UnlearnConfig)


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


def unlearn_command(flags: UnlearnFlags, out: Path, formats: Sequence[str]) -> str:
    """The command that does an unlearning again; `{threads}` in it stands for the number of threads.

    Args:
        flags: As the command line gave them.
        out: Where the model goes.
        formats: Formats besides safetensors.
    """
    return _command(vars(flags).items(), out, formats)


def apply_again_command(
    study: Path,
    trial: int,
    out: Path,
    formats: Sequence[str],
    *,
    direct: UnlearnFlags,
) -> str:
    """The command that applies a trial of a study again; see `unlearn_command`."""
    flags: dict[str, Any] = {
        "study": study,
        "trial": trial,
        **{name: getattr(direct, name) for name in WITH_STUDY},
    }
    return _command(flags.items(), out, formats)


def _command(flags: Iterable[tuple[str, Any]], out: Path, formats: Sequence[str]) -> str:
    words = ["antisample", "unlearn"]
    for name, value in flags:
        flag = f"--{'set' if name == 'overrides' else name.replace('_', '-')}"
        for each in value if isinstance(value, list) else [value]:
            if each is not None and each is not False:
                words += [flag] if each is True else [flag, _in_command(name, each)]
    for form in formats:
        words += ["--format", form]
    return f"{shlex.join(words)} --threads {{threads}} --out {shlex.quote(relative_path(str(out), Path.cwd()))}"


def _in_command(flag: str, value: Any) -> str:
    """The value of a flag as the command of a card has it: with relative paths in the place of absolute ones."""
    text = str(value)
    if flag == "overrides":
        key, _, stated = text.partition("=")
        plain = stated.strip()
        bare = plain[1:-1] if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "'\"" else plain
        moved = relative_path(bare, Path.cwd())
        return text if moved == bare else f"{key}={moved if bare == plain else json.dumps(moved)}"
    return relative_path(text, Path.cwd()) if flag in _PATHS else text


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


def model_overrides(normalisation: str | None, *, accept_original: bool) -> list[str]:
    """What `--normalisation` and `--accept-original` override in a study."""
    stated = {} if normalisation is None else _normalisation(normalisation)
    overrides = [f"model.{key}={json.dumps(value)}" for key, value in stated.items()]
    return [*overrides, *(["model.accept_original=true"] if accept_original else [])]


def accepting_original(config: _Config, *, accept_original: bool) -> _Config:
    """The configuration of a study that was made before, or of one of its trials, with `--accept-original`."""
    if not accept_original:
        return config
    return config.model_copy(update={"model": config.model.model_copy(update={"accept_original": True})})


def selected(select: str | None) -> list[str]:
    """What `--select` overrides in a study."""
    return [] if select is None else [f"selection.by={select}"]


def budgeted(budget: str | None) -> list[str]:
    """What `--budget` overrides in a study.

    Raises:
        ConfigError: If it is none.
    """
    if budget is None:
        return []
    try:
        return [f"budget={Budget.parse(budget).plain()}"]
    except ValueError as error:
        raise ConfigError(f"`--budget` {error}.") from None


def check_uri(uri: str) -> None:
    """Raises ConfigError if `--tracking-uri` is none."""
    problem = tracking_problem(uri)
    if problem is not None:
        raise ConfigError(f"`--tracking-uri` {problem}.")


def _task(flags: TaskFlags | UnlearnFlags, model: str, dataset: str) -> dict[str, Any]:
    """Data, model and forget request."""
    return {
        "data": {"source": dataset, "root": flags.root},
        "model": model_values(model, flags.checkpoint, flags.normalisation, accept_original=flags.accept_original),
        "forget": _forget(flags),
    }


def model_values(
    name: str, checkpoint: Path | None, normalisation: str | None, *, accept_original: bool
) -> dict[str, Any]:
    """The values of `model` that flags state."""
    stated = {} if normalisation is None else _normalisation(normalisation)
    accepted = {"accept_original": True} if accept_original else {}
    return {"name": name, "checkpoint": checkpoint, **stated, **accepted}


def _normalisation(text: str) -> dict[str, Any]:
    if text in NORMALISATIONS:
        return {"normalisation": text}
    try:
        mean, std = ([float(value) for value in listed(part)] for part in text.split("/"))
    except ValueError:
        raise ConfigError(
            f"`--normalisation` must be one of {', '.join(NORMALISATIONS)}, or mean/std, comma-separated values "
            f"for each channel, such as 0.49,0.48,0.45/0.25,0.24,0.26, but got {text!r}."
            f"{did_you_mean(text, NORMALISATIONS)}"
        ) from None
    return {"mean": mean, "std": std}


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


def listed(text: str) -> list[str]:
    """The parts of a flag whose values are separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
