"""A card held against what is the case: every statement becomes a check, or is said not to be checked."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from antisample.errors import ConfigError, DataError
from antisample.export.card import UnlearningCard, images_of
from antisample.export.card_facts import data_values, limitations, metric_limits, request_values
from antisample.export.card_file import CARD_FILES, card_config, file_digest, parse_json
from antisample.export.card_parts import CardMetric, CopiesFound, PluginFacts, RequestFacts
from antisample.export.card_text import card_text
from antisample.export.verification.measured import MeasuredCard
from antisample.export.verification.statements import (
    Check,
    Verification,
    as_value,
    checked,
    compared_values,
    joined,
    not_checked,
)
from antisample.models.masked_outputs import MASK_KEY, is_masked, masked_classes
from antisample.plugins.discovery import LABELS
from antisample.types import Splits

_SUFFIXES = {"safetensors": ".safetensors", "torch.export": ".pt2", "onnx": ".onnx"}
_BASELINES = ("mask", "untrained")
_ROLES = ("unlearned", "original", "retrained", *_BASELINES)
_NOT_STATED = "the card does not say"
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


def card_checks(card: UnlearningCard, measured: MeasuredCard, tolerance: float) -> Verification:
    """Compares; nothing is read or computed but texts.

    Args:
        card: What is stated.
        measured: What is the case.
        tolerance: Figures hold if they differ by at most this much.
    """
    return joined(
        [
            _files(card, measured),
            _data(card, measured),
            _after(card),
            _model_file(card, measured),
            _metrics(card, measured, tolerance),
            _environment(card, measured),
            _text(card, measured),
        ]
    )


def _files(card: UnlearningCard, measured: MeasuredCard) -> Verification:
    parts = []
    for file in card.files:
        parts += [
            checked(f"file {file.file}", file.sha256, measured.digests.get(file.file)),
            checked(f"format of {file.file}", _SUFFIXES[file.format], Path(file.file).suffix),
        ]
        what = f"largest difference of {file.file}"
        if file.format == "safetensors" and file.largest_difference is not None:
            parts.append(checked(what, file.largest_difference, None))
        elif file.format != "safetensors":
            parts.append(not_checked(what, file.largest_difference, "the format would have to be written again"))
    twice = [name for name, times in Counter(file.file for file in card.files).items() if times > 1]
    parts += [checked(f"file {name}", "named twice", "one file") for name in twice]
    parts += [checked(f"file {name}", None, "is beside the card") for name in measured.unnamed]
    return joined(parts)


def _data(card: UnlearningCard, measured: MeasuredCard) -> Verification:
    inputs = measured.inputs
    original, data = inputs.original, data_values(inputs)
    checks = joined(
        [
            checked("weights fingerprint", card.fingerprint, measured.fingerprint),
            checked("data fingerprint", card.data.fingerprint, data.pop("fingerprint")),
            checked("splits fingerprint", card.data.splits_fingerprint, data.pop("splits_fingerprint")),
            checked("original model fingerprint", card.original.fingerprint, original.fingerprint),
            checked("seed", card.seed, card.config.seed),
        ]
    )
    network: dict[str, Any] = {"initial_weights": original.initial.origin, "notes": original.notes}
    normalisation = {"mean": original.preprocessing.mean, "std": original.preprocessing.std}
    unknown = Verification()
    if measured.is_normalisation_open:
        why = "it is in neither the configuration, the checkpoint nor the images"
        unknown = joined(
            [not_checked(f"original.{name}", getattr(card.original, name), why) for name in normalisation]
        )
        network.pop("notes")
        unknown += not_checked("original.notes", card.original.notes, why)
    else:
        network |= normalisation
    return joined(
        [
            checks,
            _facts("request", card.request, request_values(card.config, inputs)),
            _copies(card.request, inputs.splits),
            _facts("data", card.data, data),
            _limitations(card, measured),
            _facts("original", card.original, network),
            unknown,
        ]
    )


def _limitations(card: UnlearningCard, measured: MeasuredCard) -> Verification:
    if "limitations" not in card.model_fields_set:
        return not_checked("limitations", None, _NOT_STATED)
    # Measuring accepts any original model; the card says whether making it did.
    config = measured.config.model_copy(update={"model": card.config.model})
    return checked("limitations", card.limitations, limitations(config, measured.inputs))


def _after(card: UnlearningCard) -> Verification:
    """The card of the request before, as far as it still lies where this one says."""
    after = card.config.after
    if after is None:
        return Verification()
    what, stated = f"digest of the earlier card {after.card}", after.requests[-1].card
    try:
        return checked(what, stated, file_digest(after.card))
    except OSError:
        return not_checked(what, stated, "the earlier card is not there; `antisample ledger` looks for it elsewhere")


def _copies(stated: RequestFacts, splits: Splits) -> Verification:
    """What the card says of copies; cards of before say nothing."""
    actual = CopiesFound.of(splits)
    if stated.copies is None or actual is None:
        return not_checked("request.copies", None, _NOT_STATED)
    return compared_values("request.copies", stated.copies.model_dump(), actual.model_dump())


def _facts(part: str, stated: BaseModel, actual: Mapping[str, Any]) -> Verification:
    """The values of a part of the card; one that the card leaves out is not stated, whatever its default."""
    return joined(
        [
            checked(f"{part}.{name}", getattr(stated, name), value)
            if name in stated.model_fields_set
            else not_checked(f"{part}.{name}", None, _NOT_STATED)
            for name, value in actual.items()
        ]
    )


def _model_file(card: UnlearningCard, measured: MeasuredCard) -> Verification:
    """What the model file itself says of its making."""
    metadata = measured.model.metadata
    stated: dict[str, Any] = {
        "model": card.config.model.name,
        "mean": card.original.mean,
        "std": card.original.std,
    }
    parts = []
    for name, value in stated.items():
        if name in metadata:
            actual = metadata[name] if name == "model" else _parsed(metadata[name])
            parts.append(checked(f"{name} in the model file", value, actual))
    if is_masked(measured.model.state_dict) or MASK_KEY in metadata:
        actual = masked_classes(measured.model.state_dict)
        parts.append(checked("masked classes in the model file", _parsed(metadata.get(MASK_KEY, "")), actual))
    config = card.config.model_dump(mode="json")
    said = _parsed(metadata.get("unlearning", ""))
    if "unlearning" not in metadata:
        parts.append(
            not_checked(
                "config in the model file", f"{len(config)} parts", "the model file does not record how it was made"
            )
        )
    elif not isinstance(said, dict):
        parts.append(checked("config in the model file", config, "not readable in the model file"))
    else:
        with suppress(ConfigError, DataError):  # it is compared as it stands there
            said = card_config(said).model_dump(mode="json")
        parts.append(compared_values("config", config, said, " in the model file"))
    return joined(parts)


def _parsed(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return text[:200]


def _metrics(card: UnlearningCard, measured: MeasuredCard, tolerance: float) -> Verification:
    names, expected = [metric.name for metric in card.metrics], list(measured.values["unlearned"])
    checks = [Check("metrics", len(names), len(expected), sorted(names) == sorted(expected))]
    checks += [
        Check(f"metric {name}", None, "belongs to the card", holds=False) for name in expected if name not in names
    ]
    checks += [
        Check(f"metric {name}", f"{times} times", "once", holds=False)
        for name, times in Counter(names).items()
        if times > 1
    ]
    for role in _ROLES:
        for metric in card.metrics:
            if role in _BASELINES and role not in metric.model_fields_set:
                continue  # in a card of before there were any
            stated, actual = getattr(metric, role), measured.values.get(role, {}).get(metric.name)
            if stated is not None or actual is not None:
                near = stated is not None and actual is not None and abs(actual - stated) <= tolerance
                checks.append(Check(f"{role} {metric.name}", stated, actual, near))
    limits = metric_limits(measured.values["unlearned"], measured.counts)
    for metric in card.metrics:
        if "limits" in metric.model_fields_set:
            checks.append(_limits(metric, limits.get(metric.name), tolerance))
    stated_images = {metric.name: metric.images for metric in card.metrics}
    images = {name: images_of(name, measured.counts) for name in stated_images}
    return Verification(tuple(checks)) + compared_values("images", stated_images, images)


def _limits(metric: CardMetric, actual: tuple[float, float] | None, tolerance: float) -> Check:
    stated = metric.limits
    near = stated == actual
    if stated is not None and actual is not None:
        near = all(abs(one - other) <= tolerance for one, other in zip(stated, actual, strict=True))
    return Check(f"limits {metric.name}", as_value(stated), as_value(actual), near)


def _environment(card: UnlearningCard, measured: MeasuredCard) -> Verification:
    stated, here, time = card.environment, measured.environment, card.time
    parts = [not_checked("created", card.created, "the creation time cannot be checked")]
    parts += [
        not_checked(f"time.{name}", getattr(time, name), "durations are not measured again")
        for name in ("unlearning_s", "evaluation_s")
    ]
    if (time.retraining_s is None) != (measured.inputs.reference is None):
        is_there = None if measured.inputs.reference is None else "there is a retrained reference"
        parts.append(checked("time.retraining_s", time.retraining_s, is_there))
    elif time.retraining_s is not None:
        parts.append(not_checked("time.retraining_s", time.retraining_s, "durations are not measured again"))
    for name in ("request_s", "request_retrainings"):
        stated_s, what = getattr(time, name), f"time.{name}"
        if stated_s is not None and "study" in card.origin:
            parts.append(not_checked(what, stated_s, "the study may have gone on since"))
        elif stated_s is not None:
            parts.append(checked(what, stated_s, "there is no study"))
    for name in dict.fromkeys([*here.versions, *stated.versions]):
        parts.append(_where(f"version of {name}", stated.versions.get(name), here.versions.get(name)))
    parts.append(_plugins(stated.plugins, here.plugins))
    parts += [_where(name, getattr(stated, name), getattr(here, name)) for name in ("device", "machine")]
    asked = card.config.device.split(":")[0]
    if asked != "auto" and stated.device.partition(" ")[0].partition(":")[0] != asked:
        parts.append(checked("device of the configuration", stated.device, card.config.device))
    return joined(parts)


def _plugins(stated: Sequence[PluginFacts], here: Sequence[PluginFacts]) -> Verification:
    """Which package each plug-in is of; the configuration says itself which plug-ins there are."""
    said, actual = (
        {f"{LABELS[each.kind]} {each.name}": each.plugin().package for each in facts} for facts in (stated, here)
    )
    parts = [
        _where(f"plug-in of the {name}", said.get(name), actual[name])
        if name in actual
        else checked(f"plug-in of the {name}", said[name], None)
        for name in dict.fromkeys([*actual, *said])
    ]
    if len(said) < len(stated):
        parts.append(checked("plug-ins", f"{len(stated)}, some of them twice", f"{len(said)}"))
    return joined(parts)


def _where(what: str, stated: str | None, here: str | None) -> Verification:
    """A fact of the machine where the card was made, which may be another one."""
    if stated is None:
        return not_checked(what, None, _NOT_STATED)
    if stated == here:
        return checked(what, stated, here)
    return not_checked(what, stated, "this machine has none" if here is None else f"this machine has {here}")


def _text(card: UnlearningCard, measured: MeasuredCard) -> Verification:
    """card.md, which must say what card.json says; earlier versions escaped nothing, where nothing needed it."""
    name, rendered = CARD_FILES[1], card_text(card)
    if not measured.has_text:
        return not_checked(name, None, "it is not beside card.json")
    if measured.text is None:
        return checked(name, "no text of a card's size", "what card.json says")
    if measured.text == rendered or (_is_harmless(measured.text) and _bare(measured.text) == _bare(rendered)):
        return checked(name, "what card.json says", "what card.json says")
    pairs = enumerate(zip(measured.text.splitlines(), rendered.splitlines(), strict=False), 1)
    line, stated, actual = next(
        ((number, one, other) for number, (one, other) in pairs if one != other), (0, "another number of lines", "")
    )
    place = f" line {line}" if line else ""
    return Verification(
        (Check(f"{name}{place}", as_value(stated), actual or as_value("what card.json says"), False),)
    )


def _bare(text: str) -> str:
    """A Markdown text without escapes."""
    plain = _ESCAPED.sub(r"\1", text)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _is_harmless(text: str) -> bool:
    """Whether no element, link or picture and no control character is in it."""
    return "<" not in text and "](" not in text and text.replace("\n", "").isprintable()
