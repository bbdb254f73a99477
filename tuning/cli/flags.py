"""From the flags of `unlearn` and `reproduce` to their configurations."""

import hashlib
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from antisample.config import UnlearnConfig, validation_problems
from antisample.data.class_names import split_names
from antisample.data.forget_request import ForgetRequest
from antisample.errors import ConfigError
from antisample.models.normalisation import NORMALISATIONS
from search_spaces import published_set
from tuning.config.loading import override_value, parse_study
from tuning.config.study import StudyConfig
from tuning.config.tracking_address import tracking_problem
from tuning.reproduction.config import ReproductionConfig

_LONGEST_NAME = 120
_Config = TypeVar("_Config", StudyConfig, UnlearnConfig)


def direct_config(options: dict[str, Any]) -> tuple[UnlearnConfig, dict[str, Any]]:
    """One unlearning without a study.

    Args:
        options: Flags by name, as the command line gives them.

    Returns:
        The configuration, and where its hyperparameters come from.

    Raises:
        ConfigError: If something is missing or wrong.
        SpaceError: If there is no such published set.
    """
    method: dict[str, Any] = {"name": options["method"] or "antisample"}
    model_name, dataset = options["model"], options["dataset"]
    origin = {"origin": f"defaults of {method['name']}"}
    if options["published"] is not None:
        if options["method"] not in (None, "antisample"):
            raise ConfigError("`--published` sets belong to the method antisample; leave `--method` out.")
        found = published_set(options["published"])
        method |= found.parameters
        origin = {"origin": f"published {found.name}"}
        model_name = model_name or found.name.split("/")[0]
        dataset = dataset or found.name.split("/")[1]
    missing = [
        f"`--{flag}` is required without `--study`{hint}."
        for flag, value, hint in (
            ("forget", options["forget"] or options["forget_samples"], " or `--forget-samples`"),
            ("dataset", dataset, " or `--published`"),
            ("model", model_name, " or `--published`"),
        )
        if not value
    ]
    if missing:
        raise ConfigError(missing)
    values = {**_task(options, model_name, dataset), "method": method, "seed": options["seed"]}
    for override in options["overrides"] or []:
        override_value(values, override, UnlearnConfig)
    return UnlearnConfig.parse(values), origin


def study_of_flags(options: dict[str, Any]) -> StudyConfig:
    """The study that the flags of `run` ask for, without a YAML file.

    Args:
        options: Flags by name, as the command line gives them.

    Raises:
        ConfigError: With every problem found.
    """
    missing = [
        f"`--{flag}` is required without STUDY.yaml{hint}."
        for flag, value, hint in (
            ("model", options["model"], ""),
            ("data", options["dataset"], ""),
            ("forget", options["forget"] or options["forget_samples"], " or `--forget-samples`"),
        )
        if not value
    ]
    if missing:
        raise ConfigError(missing)
    values = _task(options, options["model"], options["dataset"])
    forgotten = options["forget_samples"].stem if options["forget_samples"] else "-".join(values["forget"]["classes"])
    source = Path(options["dataset"]).resolve().name
    name = f"{re.split('[.:]', options['model'])[-1]}-{source}-forget-{forgotten}"
    values["name"] = _short_name(re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip("._-"))
    for override in options["overrides"] or []:
        override_value(values, override, StudyConfig)
    return parse_study(values)


def _short_name(name: str) -> str:
    """A name that a folder can have, another one for every long name: it may list a hundred classes."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"


def unlearn_command(options: dict[str, Any], out: Path, formats: Sequence[str]) -> str:
    """The command that does an unlearning again; `{threads}` in it stands for the number of threads.

    Args:
        options: Flags by name, as the command line gives them, and `study` and `trial`.
        out: Where the model goes.
        formats: Formats besides safetensors.
    """
    words = ["antisample", "unlearn"]
    for name, value in options.items():
        flag = f"--{'set' if name == 'overrides' else name.replace('_', '-')}"
        for each in value if isinstance(value, list) else [value]:
            if each is not None and each is not False:
                words += [flag] if each is True else [flag, str(each)]
    for form in formats:
        words += ["--format", form]
    return f"{shlex.join(words)} --threads {{threads}} --out {shlex.quote(str(out))}"


def forget_request(study: StudyConfig, forget: list[str] | None, samples: Path | None) -> ForgetRequest:
    """What a trial of a study is applied to: what flags say, or the study's request if it has a single one.

    Raises:
        ConfigError: If the study has several, and nothing says which is meant.
    """
    if forget or samples is not None:
        try:
            return ForgetRequest(**_forget(forget, samples))
        except ValidationError as error:
            raise ConfigError(validation_problems(error)) from error
    if len(study.forget) > 1:
        shown = "; ".join(request.describe() for request in study.forget)
        raise ConfigError(f"`--forget` is required, since the study has several forget requests: {shown}.")
    return study.forget[0]


def reproduction_config(options: dict[str, Any]) -> ReproductionConfig:
    """The reproduction that the flags ask for.

    Raises:
        ConfigError: With every problem found.
    """
    percent, dataset = options["retain"], options["dataset"]
    name = "-".join([options["protocol"], Path(options["model"]).name, Path(dataset).name, f"{percent:g}"])
    values: dict[str, Any] = {
        "out": options["out"] or Path("runs") / f"reproduce-{name.replace(':', '.')}",
        "protocol": options["protocol"],
        "data": {"source": dataset, "root": options["root"]},
        "model": _model(options, options["model"]),
        "retain": percent,
        "methods": _listed(options["methods"]),
        "sizes": _numbers("sizes", options["sizes"]),
        "draws": _numbers("draws", options["draws"]),
        "seeds": options["seeds"],
        "reference_seeds": options["reference_seeds"],
        "seed": options["seed"],
    }
    if options["classes"] not in (None, "all"):
        values["classes"] = split_names(options["classes"])
    values["all_classes"] = options["classes"] == "all"
    for override in options["overrides"] or []:
        override_value(values, override, ReproductionConfig)
    return ReproductionConfig.parse(values)


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


def check_uri(uri: str) -> None:
    """Raises ConfigError if `--tracking-uri` is none."""
    problem = tracking_problem(uri)
    if problem is not None:
        raise ConfigError(f"`--tracking-uri` {problem}.")


def _task(options: dict[str, Any], model: str, dataset: str) -> dict[str, Any]:
    """Data, model and forget request."""
    return {
        "data": {"source": dataset, "root": options["root"]},
        "model": _model(options, model),
        "forget": _forget(options["forget"], options["forget_samples"]),
    }


def _model(options: dict[str, Any], name: str) -> dict[str, Any]:
    """The original model."""
    normalisation = options["normalisation"]
    stated = {} if normalisation is None else _normalisation(normalisation)
    accepted = {"accept_original": True} if options["accept_original"] else {}
    return {"name": name, "checkpoint": options["checkpoint"], **stated, **accepted}


def _normalisation(text: str) -> dict[str, Any]:
    if text in NORMALISATIONS:
        return {"normalisation": text}
    try:
        mean, std = ([float(value) for value in _listed(part)] for part in text.split("/"))
    except ValueError:
        raise ConfigError(
            f"`--normalisation` must be one of {', '.join(NORMALISATIONS)}, or mean/std, a value for each channel "
            f"separated by commas, such as 0.49,0.48,0.45/0.25,0.24,0.26, but got {text!r}."
        ) from None
    return {"mean": mean, "std": std}


def _forget(forget: list[str] | None, samples: Path | None) -> dict[str, Any]:
    """The request that `--forget` or `--forget-samples` makes."""
    if forget and samples is not None:
        raise ConfigError("`--forget` names classes, so it cannot be given beside `--forget-samples`.")
    return (
        {"samples": samples}
        if samples is not None
        else {"classes": [c for text in forget or () for c in split_names(text)]}
    )


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(flag: str, text: str) -> list[int]:
    try:
        return [int(part) for part in _listed(text)]
    except ValueError:
        raise ConfigError(f"`--{flag}` must be whole numbers separated by commas, but got {text!r}.") from None
