"""A request after others: what a further unlearning of an unlearned model needs to know, read from its card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from antisample.data.earlier_requests import EarlierRequest, EarlierRequests
from antisample.errors import ConfigError, DataError
from antisample.export.card import UnlearningCard
from antisample.export.card_file import CARD_FILES, file_digest, read_card
from antisample.export.card_parts import CardMetric
from antisample.export.consistency import card_problems, weights_file
from antisample.metrics.share_limits import share_limits
from antisample.types import SplitName
from antisample.validation.settings import shown, unusable

_PARTS: tuple[SplitName, ...] = ("validation", "test")
_DEVIATIONS = 1.96  # of 95 %, as in `share_limits`
_OF_THE_CARD = ("arguments", "recipe", "initial_weights", "stages")


def begun_after(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a configuration in which `after: CARD.json` is replaced by what the card says.

    The model that the card describes becomes `model.checkpoint`. What its training needs to be repeated is taken from
    the card where `model` does not state it.

    Args:
        values: Plain values of a study or of one unlearning, unchecked. Without `after`, or with one that was read
            before, they stay as they are.

    Raises:
        DataError: If the card cannot be read, its model is missing, or they do not agree.
        ConfigError: If there is no card, it is of another model, or the model is stated twice.
    """
    after = values.get("after")
    if after is None or isinstance(after, Mapping | EarlierRequests):
        return dict(values)
    if not isinstance(after, str | Path):
        raise ConfigError(f"`after` must name the card of an unlearned model, but got {shown(after)}.")
    if (rule := unusable(str(after))) is not None:
        raise ConfigError(f"`after` {rule}.")
    path, card = find_card(Path(after))
    model = values.get("model")
    if not isinstance(model, Mapping) or not isinstance(model.get("name"), str):
        return {**values, "after": earlier_requests(path, card)}  # the configuration says what is wrong
    stated = card.config.model
    if model["name"].casefold() != stated.name.casefold():
        raise ConfigError(
            f"`after` must name a card of the model {model['name']!r}, but {path} is of {stated.name!r}."
        )
    if model.get("checkpoint") is not None:
        raise ConfigError(
            f"`model.checkpoint` cannot be given with `after`, which starts from the model beside {path}."
        )
    kept = {name: value for name, value in stated.model_dump(mode="json").items() if name in _OF_THE_CARD}
    checkpoint = str(path.parent / weights_file(card))
    return {**values, "after": earlier_requests(path, card), "model": {**kept, **model, "checkpoint": checkpoint}}


def find_card(path: Path) -> tuple[Path, UnlearningCard]:
    """Reads the card of an unlearned model, and makes sure that it is whole.

    Args:
        path: A card, or a model file beside its card.

    Returns:
        The path of the card, and the card.

    Raises:
        DataError: If it cannot be read, or card and files do not agree.
        ConfigError: If it is missing, or breaks the schema of a card.
    """
    try:
        what = None if path.is_file() else "a folder" if path.is_dir() else "not there"
    except OSError as error:  # a name that is too long, say
        what = f"no file ({error.strerror})"
    if what is not None:
        raise ConfigError(
            f"`after` must name the card of an unlearned model, a file, but got {shown(str(path))}, which is {what}."
        )
    named = path
    if path.suffix != ".json":
        path = path.with_name(CARD_FILES[0])
        if not path.is_file():
            raise ConfigError(f"`after` must name a model file with its card, but there is no {path} beside {named}.")
    card = read_card(path)
    if path != named and named.name not in {file.file for file in card.files}:
        raise DataError(f"{named}: `after` must name a model file with its card, but {path} does not name it.")
    problems = card_problems(card, path.parent)
    if problems:
        raise DataError(f"{path}: the card cannot be relied on. {' '.join(map(_sentence, problems))}")
    return path, card


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def earlier_requests(path: Path, card: UnlearningCard) -> EarlierRequests:
    """The chain that ends with a card.

    Raises:
        DataError: If the card was written by a version whose cards do not say enough.
    """
    request = card.request
    if not card.data.class_names or (request.kind == "samples" and not request.image_digests):
        raise DataError(
            f"{path}: `after` needs a card that lists the classes of the model and digests of forgotten samples, but "
            "this one was written by an earlier version; unlearn again."
        )
    latest = EarlierRequest(
        card=file_digest(path),
        model=card.fingerprint,
        in_words=request.in_words,
        classes=request.classes,
        samples=request.image_digests if request.kind == "samples" else (),
        by_samples=request.kind == "samples",
        most_accuracy={part: _most_accuracy(card, part, str(path)) for part in _PARTS},
        most_probe=_most_probe(card),
    )
    before = card.config.after.requests if card.config.after is not None else ()
    return EarlierRequests(
        card=path,
        requests=(*before, latest),
        class_names=card.data.class_names,
        data=card.data.fingerprint,
        split=card.config.split,
        validation_from=card.data.validation_from,
    )


def _most_accuracy(card: UnlearningCard, part: SplitName, source: str) -> float:
    metric = _metric(card, f"{part}/forget_accuracy")
    if metric is None or not metric.images or not 0 <= metric.unlearned <= 1:
        raise DataError(f"{source}: the card has no {part}/forget_accuracy with its number of images.")
    return share_limits(metric.unlearned, metric.images)[1]


def _most_probe(card: UnlearningCard) -> float | None:
    """The upper limit of `probe_few`; its standard error is that of `probe_left`, on the scale of the accuracy."""
    few, error = _metric(card, "validation/probe_few"), _metric(card, "validation/probe_error")
    if few is None or error is None or few.untrained is None:
        return None
    scale = abs(few.original - few.untrained)
    return min(1.0, max(0.0, few.unlearned + _DEVIATIONS * error.unlearned * scale))


def _metric(card: UnlearningCard, name: str) -> CardMetric | None:
    return next((metric for metric in card.metrics if metric.name == name), None)
